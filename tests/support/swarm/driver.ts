/** The scheduler under test: all that a life knows of its interface is here. */
import {
  Arrival,
  type Backend,
  type BackendMode,
  EVENT_TYPES,
  type LbEvent,
  type Lease,
  type Refusal,
  type Scheduler,
  type SessionRecord,
  Waiting,
} from "../../../lib/core/mod.ts";
import type { Nanoseconds } from "../../../lib/base/mod.ts";
import { schedulerOf } from "../scheduling.ts";
import { type NamedBackend, optionsOf, type Settings } from "./settings.ts";
import type { Outcome, Subject, View } from "./subject.ts";

/** The reason that a driver gives when it cannot serve a connection. */
export const DRIVER_REASON = "local_shortage";

/** Drives a scheduler, and notes what it answers. */
export class Driver implements Subject {
  readonly scheduler: Scheduler;
  /** Events since the step began. */
  events: LbEvent[] = [];
  /** Which backend each connection was given since the step began. */
  grants = new Map<number, string>();
  /** What the latest call that asks for a backend has answered since the step began. */
  outcome: Outcome | undefined;
  #now: Nanoseconds = 0;
  readonly #connections = new Map<number, Arrival | Lease | Waiting>();

  constructor(settings: Settings) {
    const { scheduler, events } = schedulerOf({
      ...optionsOf(settings, []),
      seed: settings.seed,
    });
    this.scheduler = scheduler;
    events.subscribe(
      "books",
      EVENT_TYPES.filter((type) => type !== "pick_explained"),
      (event) => this.events.push(event),
    );
  }

  /** A step begins. The scheduler is not told: whatever is called next lets time pass by itself. */
  begin(now: Nanoseconds): void {
    this.#now = now;
    this.events = [];
    this.grants = new Map();
    this.outcome = undefined;
  }

  passTime(): void {
    this.scheduler.passTime(this.#now);
  }

  accept(client: string): void {
    this.#came(this.scheduler.admit(client, this.#now));
  }

  acceptProxy(proxy: string): void {
    this.#came(this.scheduler.arrive(proxy, this.#now));
  }

  #came(arrival: Arrival | Refusal): void {
    if (arrival instanceof Arrival) this.#connections.set(arrival.connection, arrival);
  }

  admit(connection: number, client: string): void {
    const refusal = this.#arrival(connection).letIn(client, this.#now);
    if (refusal !== undefined) this.#connections.delete(connection);
  }

  assign(connection: number): void {
    this.#assigned(connection, this.#arrival(connection).acquire(this.#now));
  }

  connected(connection: number): void {
    this.#lease(connection).connected(this.#now);
  }

  answered(connection: number): void {
    this.#lease(connection).answered(this.#now);
  }

  connectFailed(connection: number): void {
    this.#assigned(connection, this.#lease(connection).connectFailed("refused", this.#now));
  }

  #assigned(connection: number, held: Lease | Waiting | Refusal): void {
    if (held instanceof Waiting) {
      this.outcome = { kind: "wait" };
      this.#connections.set(connection, held);
      held.settled = (settled) => this.#settled(connection, settled);
    } else this.outcome = this.#settled(connection, held);
  }

  #settled(connection: number, held: Lease | Refusal): Outcome {
    if (!held.granted) {
      this.#connections.delete(connection);
      return { kind: "refused", reason: held.reason };
    }
    this.#connections.set(connection, held);
    this.grants.set(connection, held.backend.id);
    return { kind: "connect", backend: held.backend.id };
  }

  refuse(connection: number): void {
    const held = this.#connections.get(connection)!;
    this.#connections.delete(connection);
    if (held instanceof Arrival) held.turnAway(DRIVER_REASON, this.#now);
    else (held as Lease).refuse(DRIVER_REASON, this.#now);
  }

  leave(connection: number): void {
    const held = this.#connections.get(connection) as Lease | Waiting;
    this.#connections.delete(connection);
    if (held instanceof Waiting) held.leave(this.#now);
    else held.release("client_aborted", this.#now);
  }

  close(connection: number): void {
    const lease = this.#lease(connection);
    this.#connections.delete(connection);
    lease.release("closed", this.#now, { bytesToBackend: 1, bytesToClient: 2 });
  }

  #arrival(connection: number): Arrival {
    return this.#connections.get(connection) as Arrival;
  }

  #lease(connection: number): Lease {
    return this.#connections.get(connection) as Lease;
  }

  probe(backend: string, ok: boolean): void {
    this.scheduler.probed(backend, ok, this.#now, 1, "no answer");
  }

  setMode(backend: string, mode: BackendMode): void {
    this.scheduler.setMode(backend, mode, this.#now);
  }

  add(backend: NamedBackend): void {
    this.scheduler.addBackend(backend, this.#now);
  }

  remove(backend: string): void {
    this.scheduler.removeBackend(backend, this.#now);
  }

  reload(settings: Settings, backends: readonly NamedBackend[]): void {
    this.scheduler.reconfigure(optionsOf(settings, backends), this.#now);
  }

  adopt(record: SessionRecord<string>): void {
    this.scheduler.adopt(record, this.#now);
  }

  stop(): void {
    this.scheduler.stop(this.#now);
  }

  /** What can be seen of the scheduler. */
  view(): View {
    const { backends, activeServers, connections, waiting, sessions } = this.scheduler;
    return {
      backends: backends.map(viewOf),
      activeServers,
      inFlight: connections,
      waiting,
      sessions: [...sessions].map(({ key, backend, home, open, usedAt, changedAt }) => ({
        key,
        backend: backend.id,
        home: home.id,
        open,
        usedAt,
        changedAt,
      })),
    };
  }
}

function viewOf(backend: Backend): View["backends"][number] {
  const { id, mode, health, ejection, weight, available } = backend;
  const { inFlight, connections, connectFailures } = backend;
  return {
    id,
    mode,
    probes: health.state,
    ejected: ejection?.ejected ?? false,
    weight,
    available,
    inFlight,
    connections,
    connectFailures,
  };
}
