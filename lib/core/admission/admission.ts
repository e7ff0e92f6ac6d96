import {
  type Aged,
  AgeList,
  isInAny,
  type Nanoseconds,
  NS_PER_S,
  parseIp,
  type Prefix,
} from "../../base/mod.ts";
import { clientKey } from "../sessions/mod.ts";
import type { RefusalReason } from "../events/mod.ts";

/** Which clients are accepted, and how often. */
export interface AdmissionRules {
  /** Only these addresses are accepted; all are if left out. */
  readonly allow?: readonly Prefix[] | undefined;
  /** These addresses are refused, even if `allow` contains them. */
  readonly deny?: readonly Prefix[] | undefined;
  /** For each client: an IPv4 address, or the /64 of an IPv6 address. */
  readonly perClient?: {
    /** The largest number of connections at the same time; no limit if left out. */
    readonly connections?: number | undefined;
    /** New connections per second. The largest burst is the same number, but at least 1. No limit if left out. */
    readonly rate?: number | undefined;
  } | undefined;
}

/** The state of one client. */
interface Known extends Aged<Known> {
  readonly key: string;
  open: number;
  /** The number of connections that the client may open at the time `at`. */
  tokens: number;
  /** The time for which `tokens` was computed. */
  at: Nanoseconds;
}

/** The number of clients without a connection whose rates are remembered. */
const IDLE_MAX = 100_000;

/**
 * Decides which clients are accepted: by lists of addresses, then by the client's own limits. The rate is a token
 * bucket. It holds as many tokens as one second adds, but at least one.
 *
 * Its memory is bounded: it remembers the clients with connections, and the latest hundred thousand others.
 */
export class Admission {
  #rules: AdmissionRules;
  readonly #known = new Map<string, Known>();
  /** Clients without a connection, in the order in which their last connection ended. */
  readonly #idle = new AgeList<Known>();

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
  }

  /** Applies other rules. Open connections stay open and counted. */
  configure(rules: AdmissionRules): void {
    this.#rules = rules;
  }

  /** Clients that are remembered. */
  get size(): number {
    return this.#known.size;
  }

  /**
   * Why a client is refused; undefined if it is accepted. An accepted client uses a token.
   *
   * @param isAtLimit The balancer has no place for another connection.
   */
  refusal(client: string, now: Nanoseconds, isAtLimit = false): RefusalReason | undefined {
    const { allow, deny, perClient } = this.#rules;
    if (allow !== undefined || deny !== undefined) {
      const address = parseIp(client);
      if (allow !== undefined && !isInAny(allow, address)) return "denied";
      if (deny !== undefined && isInAny(deny, address)) return "denied";
    }
    const { connections = Infinity, rate } = perClient ?? {};
    if (connections !== Infinity && this.#of(client, now).open >= connections) {
      return "client_connection_limit";
    }
    if (isAtLimit) return "connection_limit";
    if (rate === undefined) return undefined;
    const known = this.#of(client, now);
    const burst = Math.max(1, rate);
    known.tokens = Math.min(burst, known.tokens + (now - known.at) * rate / NS_PER_S);
    known.at = now;
    // Rounding errors may make a sum of fractions slightly less than 1.
    if (known.tokens < 1 - 1e-9) return "client_rate_limit";
    known.tokens--;
    return undefined;
  }

  /** An accepted client has opened a connection. */
  opened(client: string, now: Nanoseconds): void {
    const known = this.#of(client, now);
    if (known.open++ === 0) this.#idle.delete(known);
  }

  /** One of the client's connections ended. */
  closed(client: string): void {
    const known = this.#known.get(keyOf(client));
    if (known === undefined || known.open === 0 || --known.open > 0) return;
    this.#rest(known);
  }

  #of(client: string, now: Nanoseconds): Known {
    const key = keyOf(client);
    let known = this.#known.get(key);
    if (known !== undefined) return known;
    const tokens = Math.max(1, this.#rules.perClient?.rate ?? 1);
    known = { key, open: 0, tokens, at: now, older: undefined, younger: undefined };
    this.#known.set(key, known);
    this.#rest(known);
    return known;
  }

  #rest(known: Known): void {
    this.#idle.add(known);
    if (this.#idle.size <= IDLE_MAX) return;
    const oldest = this.#idle.oldest!;
    this.#idle.delete(oldest);
    this.#known.delete(oldest.key);
  }
}

function keyOf(client: string): string {
  return clientKey(client, 32, 64);
}
