import type { Address, Nanoseconds } from "../lib/base/mod.ts";
import type { BackendMode, EventStream } from "../lib/core/mod.ts";
import type { Config } from "../lib/config/mod.ts";
import type { Alarms, Clock } from "../lib/io/mod.ts";
import type { Fault, Scenario } from "../lib/scenario/types.ts";
import type { MeasuredBackend } from "../sim/measure/mod.ts";
import type { ReadyScenario } from "../sim/study/mod.ts";

/** The context of the balancers and backends of a live run. */
export interface SystemContext {
  readonly scenario: ReadyScenario;
  readonly seed: number;
  /** Alarms, whose times count from the start of the run. */
  readonly alarms: Alarms;
  /** The events of each balancer, with times of the run. */
  readonly streams: readonly EventStream[];
  /** Ends the run. */
  readonly signal: AbortSignal;
  /** Called when the run cannot continue. */
  readonly onFailed: (error: unknown) => void;
}

/** Makes the balancers and backends of a run. */
export type MakeSystem = (context: SystemContext) => LiveSystem;

/** The balancers and backends of a live run: on this machine, or on the machines of a LAN. */
export interface LiveSystem {
  /** In the order of the scenario. */
  readonly backends: readonly MeasuredBackend[];
  /** The address that all clients share; undefined if each one names its own in a PROXY header. */
  readonly clientAddress: string | undefined;
  /** Whether the network between clients and balancer has the scenario's latency, so that this process adds none. */
  readonly hasLatency: boolean;
  /** The longest time after an event until the balancer reports it. */
  readonly eventsLate: Nanoseconds;
  /**
   * Balancers and backends are ready for clients when it resolves.
   *
   * @throws {UserError} if that is not possible.
   */
  start(): Promise<void>;
  /** Where a balancer listens; undefined while it is stopped. */
  addressOf(balancer: number): Address | undefined;
  /** The present wish of the first balancer's operator for a backend. */
  modeOf(backend: number): BackendMode | undefined;
  /** The backend that got an attempt at a request; undefined if that is not known. The attempt has ended. */
  takeBackendOf(attempt: string): number | undefined;
  /** Continues with the settings of this scenario. */
  change(scenario: ReadyScenario): void;
  /** A fault begins. */
  begin(fault: Fault): void;
  /** A fault ends. A fault of a backend that has a duration ends by itself. */
  end(fault: Fault): void;
  /** Updates the numbers of the backends. Undefined if they are always up to date. */
  refresh?(): Promise<void>;
  /** Ends everything, and restores the changed settings. */
  close(): Promise<void>;
}

/** The modes that an operator can set, the strictest last. */
const MODES: readonly BackendMode[] = ["ready", "drain", "maintenance"];

/**
 * The strictest mode of a backend that the configuration or a present fault asks for; undefined if the configuration
 * does not have the backend.
 */
export function modeUnder(
  present: Iterable<Fault>,
  scenario: Scenario,
  { id, index }: MeasuredBackend,
): BackendMode | undefined {
  const configured = configOf(scenario).backends.find((backend) => backend.id === id);
  if (configured === undefined) return undefined;
  let strictest = MODES.indexOf(configured.mode);
  for (const fault of present) {
    if (!("backend" in fault) || fault.backend !== index) continue;
    strictest = Math.max(strictest, MODES.indexOf(fault.kind.name as BackendMode));
  }
  return MODES[strictest]!;
}

/** A scenario from a file has the whole configuration of its balancers. */
export function configOf({ balancer }: Scenario): Config {
  return balancer as Config;
}

/** The connections in flight to a backend, integrated over time. */
export class InFlight {
  readonly #now: Clock;
  #count = 0;
  #time = 0;
  #since: Nanoseconds = 0;

  constructor(now: Clock) {
    this.#now = now;
  }

  /** A connection begins, or ends. */
  count(change: 1 | -1): void {
    const now = this.#now();
    this.#time += (now - this.#since) * this.#count;
    this.#since = now;
    this.#count += change;
  }

  /** Connection-nanoseconds until now. */
  time(now: Nanoseconds): number {
    return this.#time + (now - this.#since) * this.#count;
  }
}
