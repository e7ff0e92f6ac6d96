import { NS_PER_MS } from "../base/mod.ts";
import type { EventOf, RefusalReason } from "../core/mod.ts";
import type { RecordedLine, RecordingHead } from "./format.ts";

/** The traffic of a recording as a scenario. */
export interface WhatIf {
  /** A scenario as YAML. It names the trace `TRACE_NAME`. */
  readonly scenario: string;
  /** The recorded connections, as CSV. */
  readonly trace: string;
  /** The assumptions, one sentence each. */
  readonly assumptions: readonly string[];
}

/** The name of the trace, the file of recorded connections, in the scenario. */
export const TRACE_NAME = "recording.csv";

/** The settings that the user wants to vary. */
export interface Wanted {
  /** Algorithms to compare with the recorded one. */
  readonly algorithms: readonly string[];
  /** Numbers of backends to compare with the recorded one. */
  readonly backends: readonly number[];
}

/** Reasons for which every balancer would refuse a client. Such a client causes no load on the backends. */
const NO_LOAD: ReadonlySet<RefusalReason> = new Set<RefusalReason>([
  "bad_proxy_header",
  "bad_tls_handshake",
  "sent_nothing",
]);

/** A sentence names at most this many backends. */
const NAMED_MAX = 5;
/** The number of values that describe the service times of all connections. */
const QUANTILES = 200;
const UNKNOWN = -1;
const LEFT_OUT = -2;

/** An outage or a mode of a backend. Times are in milliseconds, as in the recording. */
interface Fault {
  readonly backend: string;
  readonly kind: string;
  readonly at: number;
  readonly until: number | undefined;
}

/** The state of a backend by its probes: since when they fail or succeed without a break, and the present outage. */
interface ProbedState {
  failingSince: number | undefined;
  workingSince: number | undefined;
  down: { readonly at: number; readonly kind: string } | undefined;
}

/**
 * Collects the data of a recording that a simulation of the same traffic needs: arrivals, clients, service times,
 * outages, and the actions of the operator. It keeps a few numbers for each connection, and the address of each
 * client once.
 */
export class WhatIfBuilder {
  readonly #head: RecordingHead;
  #configuration: Readonly<Record<string, unknown>> | undefined;
  #startMs: number | undefined;
  #endMs = 0;
  readonly #at: number[] = [];
  readonly #client: number[] = [];
  /** The service time of each connection in milliseconds; or UNKNOWN, or LEFT_OUT. */
  readonly #service: number[] = [];
  readonly #clients = new Map<string, number>();
  readonly #open = new Map<number, { readonly index: number; openedAt: number }>();
  readonly #probed = new Map<string, ProbedState>();
  readonly #modes = new Map<string, { readonly mode: string; readonly at: number }>();
  readonly #faults: Fault[] = [];
  readonly #observed: Record<string, number> = {};
  #reloads = 0;
  #unknown = 0;
  #leftOut = 0;
  #unfinished = 0;
  #strays = 0;

  constructor(head: RecordingHead) {
    this.#head = head;
    this.#configuration = head.configuration;
  }

  /** Whether there are connections to simulate. */
  get isEmpty(): boolean {
    return this.#service.every((service) => service === LEFT_OUT);
  }

  /** How many connections each backend had. */
  get connectionsByBackend(): Readonly<Record<string, number>> {
    return this.#observed;
  }

  /** Reads the next line. */
  read(event: RecordedLine): void {
    if ("at_ms" in event) {
      this.#startMs ??= event.at_ms;
      this.#endMs = event.at_ms;
    }
    switch (event.type) {
      case "run_started":
        this.#configuration ??= event.configuration;
        return;
      case "configuration_used":
        this.#reloads++;
        return;
      case "connection_arrived":
        this.#open.set(event.connection, { index: this.#at.length, openedAt: NaN });
        this.#at.push(event.at_ms);
        this.#client.push(this.#indexOf(event.client));
        this.#service.push(UNKNOWN);
        return;
      case "client_named": {
        const open = this.#open.get(event.connection);
        if (open !== undefined) this.#client[open.index] = this.#indexOf(event.client);
        return;
      }
      case "connection_opened": {
        const open = this.#open.get(event.connection);
        if (open === undefined) this.#strays++;
        else open.openedAt = event.at_ms;
        return;
      }
      case "connection_closed":
      case "connection_refused":
      case "connection_left":
        return this.#ended(event);
      case "probe":
        return this.#probe(event);
      case "backend_down":
        return this.#down(event);
      case "backend_up":
        return this.#up(event);
      case "backend_mode_changed":
        return this.#mode(event);
    }
  }

  #indexOf(client: string): number {
    const known = this.#clients.get(client);
    if (known !== undefined) return known;
    this.#clients.set(client, this.#clients.size);
    return this.#clients.size - 1;
  }

  #ended(
    event:
      | EventOf<"connection_closed">
      | EventOf<"connection_refused">
      | EventOf<"connection_left">,
  ): void {
    const open = this.#open.get(event.connection);
    if (open === undefined) return;
    this.#open.delete(event.connection);
    const { index, openedAt } = open;
    if (event.type === "connection_closed") {
      this.#service[index] = Math.max(0, event.at_ms - openedAt);
      this.#observed[event.backend] = (this.#observed[event.backend] ?? 0) + 1;
    } else if (event.type === "connection_refused" && NO_LOAD.has(event.reason)) {
      this.#service[index] = LEFT_OUT;
      this.#leftOut++;
    } else this.#unknown++;
  }

  #stateOf(backend: string): ProbedState {
    let state = this.#probed.get(backend);
    if (state === undefined) {
      state = { failingSince: undefined, workingSince: undefined, down: undefined };
      this.#probed.set(backend, state);
    }
    return state;
  }

  #probe({ backend, ok, at_ms, probe_ms }: EventOf<"probe">): void {
    const state = this.#stateOf(backend);
    if (ok) {
      state.failingSince = undefined;
      state.workingSince ??= at_ms;
    } else {
      state.workingSince = undefined;
      state.failingSince ??= at_ms - probe_ms;
    }
  }

  #down({ backend, at_ms, reason }: EventOf<"backend_down">): void {
    const state = this.#stateOf(backend);
    const kind = /refused|reset/.test(reason) ? "crash" : "hang";
    state.down = { at: state.failingSince ?? at_ms, kind };
  }

  #up({ backend, at_ms }: EventOf<"backend_up">): void {
    const state = this.#stateOf(backend);
    if (state.down === undefined) return;
    this.#faults.push({ backend, ...state.down, until: state.workingSince ?? at_ms });
    state.down = undefined;
  }

  #mode({ backend, mode, at_ms }: EventOf<"backend_mode_changed">): void {
    const before = this.#modes.get(backend);
    this.#modes.delete(backend);
    if (before !== undefined && before.mode !== "ready") {
      this.#faults.push({ backend, kind: before.mode, at: before.at, until: at_ms });
    }
    this.#modes.set(backend, { mode, at: at_ms });
  }

  /**
   * The scenario. It has the recorded settings, except those that `Wanted` varies.
   *
   * @throws {RangeError} if a number of backends is less than 1.
   */
  build({ algorithms, backends: numbers }: Wanted): WhatIf {
    for (const { index } of this.#open.values()) {
      if (this.#service[index] === UNKNOWN) this.#unfinished++;
    }
    const { listen: _, log: __, admin: ___, tls: ____, backend_tls: _____, ...balancer } = {
      ...this.#configuration,
    } as Record<string, unknown>;
    const backends = (balancer.backends ?? []) as readonly Record<string, unknown>[];
    const all = this.#allFaults();
    const known = this.#service.filter((service) => service >= 0).sort((a, b) => a - b);
    const compare: Record<string, unknown> = {};
    if (algorithms.length > 0) {
      const recorded = balancer.algorithm ?? "round-robin";
      compare["balancer.algorithm"] = [
        recorded,
        ...algorithms.filter((name) => name !== recorded),
      ];
    }
    if (numbers.length > 0) {
      const others = numbers.filter((number) => number !== backends.length);
      compare["balancer.backends"] = [backends.length, ...others].map((number) =>
        soMany(backends, number)
      );
    }
    const fewest = Math.min(backends.length, ...numbers);
    const kept = new Set(backends.slice(0, fewest).map(({ id }) => String(id)));
    const faults = all.filter(({ backend }) => kept.has(backend));
    const scenario = {
      title: "What if? The traffic of a recording",
      balancer,
      workload: { arrivals: { trace: TRACE_NAME }, timeout: "none" },
      service: known.length === 0 ? "10ms" : { empirical: { values: quantiles(known) } },
      servers: { default: { slots: "unlimited" } },
      warmup: "0s",
      ...faults.length > 0 && {
        faults: faults.map((fault) => ({
          at: this.#written(fault.at),
          ...fault.until !== undefined && {
            for: durationOf(Math.max(fault.until - Math.max(fault.at, this.#startMs ?? 0), 0.001)),
          },
          backend: fault.backend,
          kind: fault.kind,
        })),
      },
      ...Object.keys(compare).length > 0 && { compare },
    };
    return {
      scenario: JSON.stringify(scenario, undefined, 1),
      trace: this.#trace(),
      assumptions: this.#assumptions(backends.length, numbers, {
        kept: faults.length,
        lost: all.filter(({ backend }) => !kept.has(backend)),
      }),
    };
  }

  /** The faults that have ended, and those that last until the end of the recording. */
  #allFaults(): Fault[] {
    const lasting: Fault[] = [];
    for (const [backend, { down }] of this.#probed) {
      if (down !== undefined) lasting.push({ backend, ...down, until: undefined });
    }
    for (const [backend, { mode, at }] of this.#modes) {
      if (mode !== "ready") lasting.push({ backend, kind: mode, at, until: undefined });
    }
    const lastArrival = this.#at.at(-1) ?? 0;
    return [...this.#faults, ...lasting]
      .filter(({ at }) => at < lastArrival)
      .sort((a, b) => a.at - b.at);
  }

  #written(ms: number): string {
    return durationOf(Math.max(0, ms - (this.#startMs ?? 0)));
  }

  #trace(): string {
    const addresses = [...this.#clients.keys()];
    const lines = ["at,address,service"];
    const start = this.#startMs ?? 0;
    for (const [i, at] of this.#at.entries()) {
      const service = this.#service[i]!;
      if (service === LEFT_OUT) continue;
      const work = service === UNKNOWN ? "" : (service / 1000).toFixed(9);
      lines.push(`${((at - start) / 1000).toFixed(9)},${addresses[this.#client[i]!]},${work}`);
    }
    return `${lines.join("\n")}\n`;
  }

  #assumptions(
    recorded: number,
    numbers: readonly number[],
    faults: { readonly kept: number; readonly lost: readonly Fault[] },
  ): string[] {
    const counted = (count: number, one: string, more = `${one}s`) =>
      `${count} ${count === 1 ? one : more}`;
    const without = [...new Set(faults.lost.map(({ backend }) => backend))].sort();
    return [
      ...this.#head.assumptions ?? [],
      "a connection takes as long as recorded, on any backend and at any load: " +
      "set servers.default.slots to model backends that get slower",
      "the network takes no time, and clients never give up",
      "every run has the same connections, so ± is only the variation of the algorithm's random draws",
      ...this.#unknown === 0 ? [] : [
        `${counted(this.#unknown, "connection")} reached no backend: such a connection gets ` +
        "a service time drawn from those of the other connections",
      ],
      ...this.#unfinished === 0 ? [] : [
        `${counted(this.#unfinished, "connection")} had not ended at the end of the recording: ` +
        "such a connection gets a service time drawn from those of the other connections",
      ],
      ...this.#leftOut === 0 ? [] : [
        `${counted(this.#leftOut, "client")} without data or without a valid header or handshake ${
          this.#leftOut === 1 ? "is" : "are"
        } left out`,
      ],
      ...this.#strays === 0 ? [] : [
        `${counted(this.#strays, "connection")} had begun before this file: they are left out`,
      ],
      ...this.#reloads === 0 ? [] : [
        `the configuration changed ${
          counted(this.#reloads, "time")
        }: only the first configuration is simulated`,
      ],
      ...faults.kept === 0 ? [] : [
        `outages of backends and changes of their mode (${faults.kept}) come when they were ` +
        "recorded: set faults to move them",
      ],
      ...faults.lost.length === 0 ? [] : [
        `outages and changes of mode (${faults.lost.length}) of ${named(without)} are left ` +
        "out of every variant, since not every variant has " +
        (without.length === 1 ? "this backend" : "these backends"),
      ],
      ...this.#head.clients === "addresses" ? [] : [
        "clients have pseudonyms: an algorithm that hashes addresses hashes the pseudonyms, so its picks " +
        "differ from the recorded ones",
      ],
      ...numbers.some((number) => number > recorded)
        ? ["a new backend is like the last recorded one, and as fast"]
        : [],
    ];
  }
}

/** The first few of these names. */
function named(names: readonly string[]): string {
  const more = names.length - NAMED_MAX;
  return names.slice(0, NAMED_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** The first backends of a list. If more are needed, copies of the last one follow, with other names. */
function soMany(
  backends: readonly Record<string, unknown>[],
  number: number,
): Record<string, unknown>[] {
  if (!(number >= 1)) throw new RangeError("there must be at least one backend");
  const taken = new Set(backends.map(({ id }) => id));
  const last = backends.at(-1)!;
  const more = [];
  for (let i = backends.length + 1; backends.length + more.length < number; i++) {
    const id = `B${i}`;
    if (taken.has(id)) continue;
    more.push({ ...last, id, address: `192.0.2.${more.length % 254 + 1}:${1 + more.length}` });
  }
  return [...backends, ...more].slice(0, number);
}

/** A few values that represent all: the list is divided into equal parts, and the middle value of each is taken. */
function quantiles(sorted: readonly number[]): string[] {
  const count = Math.min(QUANTILES, sorted.length);
  return Array.from(
    { length: count },
    (_, i) => durationOf(sorted[Math.floor((i + 0.5) * sorted.length / count)]!),
  );
}

/** A number of milliseconds as a duration. */
function durationOf(ms: number): string {
  return `${Math.round(ms * NS_PER_MS)}ns`;
}
