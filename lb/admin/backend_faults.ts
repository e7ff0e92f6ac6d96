import {
  AdminClient,
  BadRequest,
  RequestRefused,
  type Target,
  type Token,
  Unreachable,
} from "../../lib/admin/mod.ts";
import { type FaultsAnswer, faultsAnswer } from "../../lib/api/mod.ts";
import { type Address, formatAddress, NS_PER_MS } from "../../lib/base/mod.ts";
import type { Config } from "../../lib/config/mod.ts";
import { type EventStream, toMs } from "../../lib/core/mod.ts";
import { type Clock, systemReason, timerDelay } from "../../lib/io/mod.ts";

/** A backend must answer within this time. */
const ANSWER_MS = 5_000;
/** The time between two requests for the faults of all backends. A fault can also begin at the backend itself. */
const ASK_EVERY_MS = 2_000;

/** A fault that a backend has. */
type ToldFault = FaultsAnswer["faults"][number];

/** The data with which the balancer asks its backends. */
export interface BackendFaultsOptions {
  /** Returns the backends of the configuration in use. */
  readonly backends: () => Config["backends"];
  readonly admin: Config["admin"];
  /** The token of the balancer. All backends have the same token. */
  readonly token: Token | undefined;
  readonly events: EventStream;
  readonly now: Clock;
}

/**
 * The faults of the backends: passes requests on to the admin API of a backend, and reports as events what the
 * backend answers. A fault that ends by itself is reported when its time is over. Backends that have such an API are
 * also asked every few seconds, for faults that were begun or ended without the balancer.
 */
export class BackendFaultsForwarder {
  readonly #options: BackendFaultsOptions;
  readonly #stopped = new AbortController();
  /** For each backend, its known faults, in words; each with the timer of its end, if it ends by itself. */
  readonly #known = new Map<string, Map<string, ReturnType<typeof setTimeout> | undefined>>();

  readonly #unsubscribe: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Increases when a request begins or ends. The answer to an earlier question may then be out of date. */
  #requests = 0;

  constructor(options: BackendFaultsOptions) {
    this.#options = options;
    const ask = () => this.#askLater(0);
    this.#unsubscribe = options.events.subscribe("backend faults", ["config_reloaded"], ask);
    ask();
  }

  stop(): void {
    this.#unsubscribe();
    clearTimeout(this.#timer);
    this.#stopped.abort();
    for (const faults of this.#known.values()) faults.forEach(clearTimeout);
  }

  /**
   * Passes a request on to a backend.
   *
   * @throws {BadRequest} if the backend has no admin API, does not answer, or refuses.
   */
  async forward(
    { id, admin }: Config["backends"][number],
    method: string,
    body: unknown,
  ): Promise<FaultsAnswer> {
    if (admin === undefined) {
      throw new BadRequest(
        `${id} cannot have faults: the configuration has no \`admin\` address for it`,
        409,
      );
    }
    this.#requests++;
    try {
      const answer = await this.#ask(id, admin, method, body);
      this.#learn(id, answer.faults);
      return answer;
    } finally {
      this.#requests++;
    }
  }

  /** Asks the backends later, if one of them has an admin API; otherwise there is no timer. */
  #askLater(delayMs: number): void {
    const isNeeded = this.#options.backends().some(({ admin }) => admin !== undefined);
    if (!isNeeded || this.#timer !== undefined || this.#stopped.signal.aborted) return;
    this.#timer = setTimeout(async () => {
      const backends = this.#options.backends();
      await Promise.all(backends.map(({ id, admin }) => admin && this.#update(id, admin)));
      this.#timer = undefined;
      this.#askLater(ASK_EVERY_MS);
    }, delayMs);
  }

  async #update(id: string, admin: Address): Promise<void> {
    const requests = this.#requests;
    try {
      const { faults } = await this.#ask(id, admin, "GET", undefined);
      if (requests === this.#requests && !this.#stopped.signal.aborted) this.#learn(id, faults);
    } catch {
      // The probes report a backend that does not answer, for example because it is switched off.
    }
  }

  async #ask(id: string, admin: Address, method: string, body: unknown): Promise<FaultsAnswer> {
    try {
      const client = new AdminClient(await this.#target(admin), this.#stopped.signal, "backend");
      const answer = await client.ask(method, "/api/fault", body, ANSWER_MS);
      const { success, data } = faultsAnswer.safeParse(answer);
      if (success && data.backend === id) return data;
      throw new BadRequest(
        success
          ? `the backend at ${formatAddress(admin)} is not ${id}, but ${data.backend}`
          : `the server at ${formatAddress(admin)} is not the admin API of a backend`,
        502,
      );
    } catch (error) {
      if (error instanceof RequestRefused) {
        const isOwn = error.status === 400;
        throw new BadRequest(isOwn ? error.message : `${id}: ${error.message}`, isOwn ? 400 : 502);
      }
      if (error instanceof Unreachable) throw new BadRequest(`${id}: ${error.message}`, 502);
      throw error;
    }
  }

  async #target({ host, port }: Address): Promise<Target> {
    const { admin: { tls, hosts, tokenFile }, token } = this.#options;
    return {
      listen: { host, port },
      name: tls === undefined ? host : hosts[0] ?? host,
      trusted: tls && [await certificateOf(tls.certificate)],
      token: await token?.read(),
      tokenSource: token === undefined
        ? "the configuration of the balancer has no admin.token_file"
        : `${
          tokenFile ?? "the memory of the balancer"
        }: the token file of the backend must be the same`,
    };
  }

  /** Reports faults of a backend that began or ended since its last answer. */
  #learn(backend: string, faults: readonly ToldFault[]): void {
    const known = this.#known.get(backend) ?? new Map();
    this.#known.set(backend, known);
    const present = new Set(faults.map(({ fault }) => fault));
    for (const fault of [...known.keys()]) if (!present.has(fault)) this.#ended(backend, fault);
    for (const { fault, for_ms, ends_in_ms } of faults) {
      clearTimeout(known.get(fault));
      if (!known.has(fault)) {
        const at_ms = toMs(this.#options.now());
        this.#options.events.emit({ type: "backend_fault_began", at_ms, backend, fault, for_ms });
      }
      const timer = ends_in_ms === null ? undefined : setTimeout(
        () => this.#ended(backend, fault),
        timerDelay(ends_in_ms * NS_PER_MS),
      );
      known.set(fault, timer);
    }
  }

  #ended(backend: string, fault: string): void {
    const known = this.#known.get(backend);
    clearTimeout(known?.get(fault));
    if (known?.delete(fault) !== true) return;
    const at_ms = toMs(this.#options.now());
    this.#options.events.emit({ type: "backend_fault_ended", at_ms, backend, fault });
  }
}

async function certificateOf(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw new BadRequest(`admin.tls.certificate ${file}: ${systemReason(error)}`, 502);
  }
}
