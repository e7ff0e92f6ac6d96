import type { Admission } from "./admission/mod.ts";
import type { PickTrace } from "./algorithms/mod.ts";
import type { Backend, BackendState } from "./backend/mod.ts";
import { type Aged, assert, type Nanoseconds } from "../base/mod.ts";
import type { ConnectFailure, ConnectionEnd, RefusalReason } from "./events/mod.ts";
import type { Session } from "./sessions/mod.ts";

/**
 * The phase of a connection. `arriving`: its client has connected, and something must be done before it gets a
 * backend. `waiting`: every backend is full, and it waits. `connecting`: it has a backend, where it counts as in
 * flight. `open`: that backend has accepted it. `ended`: it was closed or refused, or its client has left.
 */
export type Phase = "arriving" | "waiting" | "connecting" | "open" | "ended";

/** The connection has a backend, which its driver now connects to. */
export interface Connect {
  readonly kind: "connect";
}

/** Every backend is full: the connection waits until `onSettled` is called. */
export interface Wait {
  readonly kind: "wait";
}

/** The connection was refused: it has ended. */
export interface Refused {
  readonly kind: "refused";
  readonly reason: RefusalReason;
}

/** The result of a request for a backend. A refusal is an ordinary value, not an error. */
export type Outcome = Connect | Wait | Refused;

/** The number of relayed bytes, in each direction. */
export interface Traffic {
  readonly bytesToBackend: number;
  readonly bytesToClient: number;
}

/**
 * A client's connection, as its driver sees it. The driver gets it from the scheduler when the client has connected
 * (`Scheduler.accept`), and reports each further step to it. It ends exactly once: the scheduler refuses it, or the
 * driver calls `refuse`, `leave` or `close`.
 */
export interface Connection {
  /** The number of the connection, from 1. */
  readonly number: number;
  /** The client's address, as far as it is known. */
  readonly client: string;
  readonly phase: Phase;
  readonly arrivedAt: Nanoseconds;
  /** Why it was refused; undefined unless it was. */
  readonly refusal: RefusalReason | undefined;
  /** The backend that it got last. Reading it is an error if there was none. */
  readonly backend: Backend;
  /** 1 for the first backend tried. */
  readonly attempt: number;
  /** When that backend was picked. */
  readonly pickedAt: Nanoseconds;
  /** When it began to wait for a free place at a backend; undefined if it has never waited. */
  readonly queuedAt: Nanoseconds | undefined;
  /**
   * Called once for a connection that waits, when it gets a backend or is refused. It is refused if it has waited for
   * too long, if no backend can take it any more, or if the scheduler stops. The driver sets this function before its
   * next call of the scheduler. The function must not call the scheduler.
   */
  onSettled: ((outcome: Connect | Refused, now: Nanoseconds) => void) | undefined;

  /**
   * The trusted proxy that opened this connection has named the client.
   *
   * @returns Whether the client is accepted; otherwise the connection has ended.
   */
  admit(client: string, now: Nanoseconds): boolean;
  /** Asks for a backend. If all that could take it are full and there is a queue, it waits. */
  assign(now: Nanoseconds, trace?: PickTrace): Outcome;
  /** The connect succeeded. */
  connected(now: Nanoseconds): void;
  /**
   * The connect failed: asks for a backend that was not yet tried.
   *
   * @param detail A detail that the reason does not contain, in a few words.
   */
  connectFailed(reason: ConnectFailure, now: Nanoseconds, detail?: string): Outcome;
  /** The client sent its first byte. Only the first call counts. */
  asked(now: Nanoseconds): void;
  /** The backend sent the first byte of an answer. Only the first call counts. */
  answered(now: Nanoseconds): void;
  /** The client has sent its last byte. Perhaps it has left because it got no answer. */
  clientFinished(now: Nanoseconds): void;
  /** The driver cannot serve the connection: it is refused before it is open. */
  refuse(reason: RefusalReason, now: Nanoseconds, detail?: string): Refused;
  /** The client has left before the connection was open. */
  leave(now: Nanoseconds): void;
  /** The open connection has ended. */
  close(end: ConnectionEnd, now: Nanoseconds, traffic?: Traffic): void;
}

/** A connection's place in the queue. */
export interface QueuePlace extends Aged<QueuePlace> {
  readonly connection: ConnectionState;
  readonly since: Nanoseconds;
  /** The connection is refused if it still waits then. */
  until: Nanoseconds;
}

/** The work of the scheduler for each step of a connection. */
export interface ConnectionSteps {
  admit(connection: ConnectionState, now: Nanoseconds): boolean;
  assign(connection: ConnectionState, now: Nanoseconds, trace: PickTrace | undefined): Outcome;
  connected(connection: ConnectionState, now: Nanoseconds): void;
  connectFailed(
    connection: ConnectionState,
    reason: ConnectFailure,
    now: Nanoseconds,
    detail: string | undefined,
  ): Outcome;
  answered(connection: ConnectionState, now: Nanoseconds): void;
  clientFinished(connection: ConnectionState, now: Nanoseconds): void;
  refuse(
    connection: ConnectionState,
    reason: RefusalReason,
    now: Nanoseconds,
    detail: string | undefined,
  ): Refused;
  leave(
    connection: ConnectionState,
    phase: "arriving" | "waiting" | "connecting",
    now: Nanoseconds,
  ): void;
  close(
    connection: ConnectionState,
    end: ConnectionEnd,
    now: Nanoseconds,
    traffic: Traffic,
  ): void;
}

const NO_TRAFFIC: Traffic = { bytesToBackend: 0, bytesToClient: 0 };

/** The data that most connections never need, because they get a backend at once and the first connect succeeds. */
class Setbacks {
  refusal: RefusalReason | undefined;
  tried: BackendState[] | undefined;
  place: QueuePlace | undefined;
  onSettled: Connection["onSettled"];
}

/** Lists and limits have accepted its client. */
const ADMITTED = 1;
/** The connect has succeeded. */
const CONNECTED = 2;
/** The client has sent its first byte. */
const ASKED = 4;
/** The backend has sent its first byte. */
const ANSWERED = 8;

/**
 * A connection in the form that the scheduler uses. It checks the calls of the driver, and `ConnectionSteps` does the
 * work.
 *
 * It is the largest part of what a pick allocates, so it is small. Data that few connections have is in `Setbacks`,
 * and durations replace points in time, because points in time are not small integers.
 */
export class ConnectionState implements Connection {
  readonly number: number;
  client: string;
  phase: Phase = "arriving";
  /** The steps that have happened to it, as bits. */
  #marks = 0;
  /** The limits per client for which it counts; undefined if there are none. */
  admission: Admission | undefined;
  /** The backend that it got last. */
  assigned: BackendState | undefined;
  /** When its backend was picked; before that, when it arrived. For most connections both times are equal. */
  pickedAt: Nanoseconds;
  /** The number of other connections that its backend had in flight at the pick. */
  others = 0;
  session: Session<BackendState> | undefined;
  /** When it arrived, if this was before its latest pick. */
  #arrivedAt: Nanoseconds | undefined;
  /**
   * The duration of the connect, from the pick. After the client's first byte: the time during which the connected
   * client had sent nothing.
   */
  #delay: Nanoseconds = 0;
  #setbacks: Setbacks | undefined;
  readonly #steps: ConnectionSteps;

  constructor(steps: ConnectionSteps, number: number, client: string, now: Nanoseconds) {
    this.#steps = steps;
    this.number = number;
    this.client = client;
    this.pickedAt = now;
  }

  get arrivedAt(): Nanoseconds {
    return this.#arrivedAt ?? this.pickedAt;
  }

  get refusal(): RefusalReason | undefined {
    return this.#setbacks?.refusal;
  }

  set refusal(reason: RefusalReason) {
    (this.#setbacks ??= new Setbacks()).refusal = reason;
  }

  /** Backends to which a connect failed; undefined if there is none. */
  get tried(): readonly BackendState[] | undefined {
    return this.#setbacks?.tried;
  }

  /** Its present or last place in the queue. */
  get place(): QueuePlace | undefined {
    return this.#setbacks?.place;
  }

  set place(place: QueuePlace) {
    (this.#setbacks ??= new Setbacks()).place = place;
  }

  get onSettled(): Connection["onSettled"] {
    return this.#setbacks?.onSettled;
  }

  set onSettled(onSettled: Connection["onSettled"]) {
    (this.#setbacks ??= new Setbacks()).onSettled = onSettled;
  }

  get backend(): BackendState {
    assert(this.assigned !== undefined, "a connection has a backend from its first pick on");
    return this.assigned;
  }

  get attempt(): number {
    return this.attempts + 1;
  }

  /** How many connects have failed. */
  get attempts(): number {
    return this.tried?.length ?? 0;
  }

  get queuedAt(): Nanoseconds | undefined {
    return this.place?.since;
  }

  /** It has got a backend, where it counts as in flight. */
  give(backend: BackendState, now: Nanoseconds): void {
    if (now !== this.pickedAt) {
      this.#arrivedAt ??= this.pickedAt;
      this.pickedAt = now;
    }
    this.phase = "connecting";
    this.assigned = backend;
    this.others = backend.inFlight - 1;
  }

  /** The connect to its backend has failed. */
  addTried(backend: BackendState): void {
    this.#setbacks ??= new Setbacks();
    (this.#setbacks.tried ??= []).push(backend);
  }

  /** Lists and limits have accepted its client. */
  get isAdmitted(): boolean {
    return (this.#marks & ADMITTED) !== 0;
  }

  /** Lists and limits accept its client. */
  welcome(): void {
    this.#marks |= ADMITTED;
  }

  /** Whether the client has sent a byte. */
  get isAsked(): boolean {
    return (this.#marks & ASKED) !== 0;
  }

  /** How long the connected client sent nothing; undefined until it has sent a byte. */
  get idle(): Nanoseconds | undefined {
    return this.isAsked ? this.#delay : undefined;
  }

  /** Whether it is connected, and its client has sent nothing. */
  get isIdle(): boolean {
    return (this.#marks & (CONNECTED | ASKED)) === CONNECTED;
  }

  /** Whether the backend has sent a byte. */
  get isAnswered(): boolean {
    return (this.#marks & ANSWERED) !== 0;
  }

  /** How long the client has waited for an answer. An idle client does not wait. */
  waitedForAnswer(now: Nanoseconds): Nanoseconds {
    const waited = now - this.pickedAt;
    return this.isAsked ? waited - this.#delay : waited;
  }

  admit(client: string, now: Nanoseconds): boolean {
    assert(this.phase === "arriving" && !this.isAdmitted, "a client is admitted at most once");
    this.client = client;
    return this.#steps.admit(this, now);
  }

  assign(now: Nanoseconds, trace?: PickTrace): Outcome {
    assert(
      this.phase === "arriving" && this.isAdmitted,
      "a client that was admitted is given a backend once",
    );
    return this.#steps.assign(this, now, trace);
  }

  connected(now: Nanoseconds): void {
    assert(this.phase === "connecting", "a connection is opened at most once");
    this.phase = "open";
    this.#marks |= CONNECTED;
    this.#delay = now - this.pickedAt;
    this.#steps.connected(this, now);
  }

  connectFailed(reason: ConnectFailure, now: Nanoseconds, detail?: string): Outcome {
    assert(this.phase === "connecting", "only a connect that is under way can fail");
    return this.#steps.connectFailed(this, reason, now, detail);
  }

  asked(now: Nanoseconds): void {
    if (!this.isIdle) return;
    this.#marks |= ASKED;
    this.#delay = now - this.pickedAt - this.#delay;
  }

  answered(now: Nanoseconds): void {
    if (this.isAnswered) return;
    this.#marks |= ANSWERED;
    this.#steps.answered(this, now);
  }

  clientFinished(now: Nanoseconds): void {
    if (this.phase === "open") this.#steps.clientFinished(this, now);
  }

  refuse(reason: RefusalReason, now: Nanoseconds, detail?: string): Refused {
    assert(
      this.phase !== "open" && this.phase !== "ended",
      "only a connection that is not yet open can be refused",
    );
    return this.#steps.refuse(this, reason, now, detail);
  }

  leave(now: Nanoseconds): void {
    const { phase } = this;
    assert(
      phase !== "open" && phase !== "ended",
      "a client leaves once, before its connection is open",
    );
    this.#steps.leave(this, phase, now);
  }

  close(end: ConnectionEnd, now: Nanoseconds, traffic: Traffic = NO_TRAFFIC): void {
    assert(this.phase === "open", "a connection that is open is closed exactly once");
    this.#steps.close(this, end, now, traffic);
  }
}
