/** The scheduler under test. Only this file of the swarm uses the scheduler's interface. */
import assert from "node:assert/strict";
import {
  type Backend,
  type BackendMode,
  type Connection,
  EVENT_TYPES,
  EventBalance,
  type LbEvent,
  type Outcome as Answer,
  type Scheduler,
  type SessionRecord,
} from "../../../lib/core/mod.ts";
import type { Nanoseconds } from "../../../lib/base/mod.ts";
import { schedulerOf } from "../scheduling.ts";
import { type NamedBackend, optionsOf, type Settings } from "./settings.ts";
import { type Outcome, sessionView, type Subject, type View } from "./subject.ts";

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
  readonly #balance: EventBalance;
  readonly #connections = new Map<number, Connection>();

  constructor(settings: Settings) {
    const { scheduler, events } = schedulerOf({
      ...optionsOf(settings, []),
      seed: settings.seed,
    });
    this.scheduler = scheduler;
    this.#balance = new EventBalance(events);
    events.subscribe(
      "books",
      EVENT_TYPES.filter((type) => type !== "pick_explained"),
      (event) => this.events.push(event),
    );
  }

  /** Begins a step. This calls nothing of the scheduler: its next call lets time pass. */
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
    this.#arrived(this.scheduler.accept(client, this.#now));
  }

  acceptProxy(proxy: string): void {
    this.#arrived(this.scheduler.acceptProxy(proxy, this.#now));
  }

  #arrived(connection: Connection): void {
    if (connection.refusal === undefined) this.#connections.set(connection.number, connection);
  }

  admit(connection: number, client: string): void {
    const isAdmitted = this.#connection(connection).admit(client, this.#now);
    if (!isAdmitted) this.#connections.delete(connection);
  }

  assign(connection: number): void {
    this.#assigned(connection, this.#connection(connection).assign(this.#now));
  }

  connected(connection: number): void {
    this.#connection(connection).connected(this.#now);
  }

  answered(connection: number): void {
    this.#connection(connection).answered(this.#now);
  }

  connectFailed(connection: number): void {
    this.#assigned(connection, this.#connection(connection).connectFailed("refused", this.#now));
  }

  #assigned(connection: number, answer: Answer): void {
    this.outcome = this.#outcomeOf(connection, answer);
    if (answer.kind !== "wait") return;
    this.#connection(connection).onSettled = (answer) => this.#outcomeOf(connection, answer);
  }

  #outcomeOf(connection: number, answer: Answer): Outcome {
    if (answer.kind === "wait") return answer;
    if (answer.kind === "refused") {
      this.#connections.delete(connection);
      return answer;
    }
    const backend = this.#connection(connection).backend.id;
    this.grants.set(connection, backend);
    return { kind: "connect", backend };
  }

  refuse(connection: number): void {
    this.#take(connection).refuse(DRIVER_REASON, this.#now);
  }

  leave(connection: number): void {
    this.#take(connection).leave(this.#now);
  }

  close(connection: number): void {
    const traffic = { bytesToBackend: 1, bytesToClient: 2 };
    this.#take(connection).close("closed", this.#now, traffic);
  }

  #connection(connection: number): Connection {
    return this.#connections.get(connection)!;
  }

  /** A connection that is about to end. */
  #take(connection: number): Connection {
    const taken = this.#connection(connection);
    this.#connections.delete(connection);
    return taken;
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

  /** The state that the scheduler's properties show. */
  view(): View {
    assert.equal(this.#balance.present, this.#connections.size, "connections, by their events");
    const { backends, activeServers, connections, waiting, sessions } = this.scheduler;
    return {
      backends: backends.map(viewOf),
      activeServers,
      inFlight: connections,
      waiting,
      sessions: [...sessions].map(sessionView),
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
