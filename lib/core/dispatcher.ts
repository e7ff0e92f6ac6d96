import { Admission, type AdmissionRules } from "./admission/mod.ts";
import type { PickTrace } from "./algorithms/mod.ts";
import { type BackendRecovery, type BackendState, isServing } from "./backend/mod.ts";
import { assert, type Nanoseconds } from "../base/mod.ts";
import {
  type Connect,
  ConnectionState,
  type ConnectionSteps,
  type Outcome,
  type Refused,
  type Traffic,
  type Wait,
} from "./connection.ts";
import type { Announcer, ConnectFailure, ConnectionEnd, RefusalReason } from "./events/mod.ts";
import { Explanation } from "./explanation.ts";
import type { SchedulerOptions } from "./options.ts";
import type { BackendPool } from "./pool.ts";
import { ConnectionQueue } from "./queue.ts";
import type { BackendSelector } from "./selector.ts";

const CONNECT: Connect = { kind: "connect" };
const WAIT: Wait = { kind: "wait" };

/** The parts of the scheduler that a dispatcher uses. */
interface Parts {
  readonly announcer: Announcer;
  readonly pool: BackendPool;
  readonly selector: BackendSelector;
  readonly recovery: BackendRecovery;
}

/**
 * Takes each connection through its phases. It counts connections, applies limits, keeps the queue, and lets time
 * pass before each step.
 */
export class Dispatcher implements ConnectionSteps {
  #options: SchedulerOptions;
  readonly #announcer: Announcer;
  readonly #pool: BackendPool;
  readonly #selector: BackendSelector;
  readonly #recovery: BackendRecovery;
  readonly #queue = new ConnectionQueue();
  /** Undefined if there are no lists and no limits per client. */
  #admission: Admission | undefined;
  #lastNumber = 0;
  /** The number of connections that have not ended. */
  #present = 0;
  /** The number of connections that are on a backend. */
  #inFlight = 0;
  #stopping = false;
  /** Whether the latest answer came before its client had sent anything, as a mail server's greeting does. */
  #backendsSpeakFirst = false;
  /** The time of the next change that time alone causes; Infinity if there is none. */
  #nextWake: Nanoseconds = Infinity;
  /** `passTime` has nothing to do before this. With stickiness it is −Infinity, because any session may expire. */
  #dueAt: Nanoseconds = Infinity;
  /** When expired sessions were last removed. */
  #expiredAt: Nanoseconds = NaN;
  /** Called when `nextWake` has become earlier. */
  onWake: ((at: Nanoseconds) => void) | undefined;

  constructor(
    options: SchedulerOptions,
    { announcer, pool, selector, recovery }: Parts,
  ) {
    this.#options = options;
    this.#announcer = announcer;
    this.#pool = pool;
    this.#selector = selector;
    this.#recovery = recovery;
    this.#wakeNext(Infinity);
    this.#configureAdmission(options);
  }

  /** Connections that are on a backend. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** The number of connections that wait for a free place at a backend. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** When `passTime` must be called next; Infinity if no work has a due time. */
  get nextWake(): Nanoseconds {
    return this.#nextWake;
  }

  /** See `Scheduler.passTime`. */
  passTime(now: Nanoseconds): void {
    // Every step of a connection begins with this, and usually nothing is due.
    if (this.#dueAt <= now) this.#letHappenUntil(now);
  }

  #letHappenUntil(now: Nanoseconds): void {
    while (this.#nextWake <= now) this.#letHappen(this.#nextWake);
    // Most connections take several steps at one instant.
    if (now === this.#expiredAt) return;
    this.#expiredAt = now;
    this.#selector.sessions?.expire(now);
  }

  #letHappen(at: Nanoseconds): void {
    if (this.#recovery.passTime(at)) this.serveWaiting(at);
    for (let late = this.#queue.overdue(at); late !== undefined; late = this.#queue.overdue(at)) {
      this.#dismiss(late, "queue_timeout", at);
    }
    this.#wakeNext(Math.min(this.#recovery.dueAt, this.#queue.dueAt));
    assert(this.#nextWake > at, "what is due happens, and is due no more");
  }

  /** Makes sure that `nextWake` is not later than this. */
  wakeBy(at: Nanoseconds): void {
    if (at >= this.#nextWake) return;
    this.#wakeNext(at);
    this.onWake?.(at);
  }

  #wakeNext(at: Nanoseconds): void {
    this.#nextWake = at;
    this.#dueAt = this.#options.sticky === undefined ? at : -Infinity;
  }

  /** Applies other options. Connections in the queue stay there; the new timeout applies to them. */
  reconfigure(options: SchedulerOptions, now: Nanoseconds): void {
    this.#options = options;
    this.#expiredAt = NaN; // Their time to live may be shorter from now on.
    this.#wakeNext(this.#nextWake);
    this.#configureAdmission(options);
    if (options.queue === undefined) return;
    this.#queue.reconfigure(options.queue, now);
    this.wakeBy(this.#queue.dueAt);
  }

  #configureAdmission({ allow, deny, limits: { perClient } }: SchedulerOptions): void {
    const rules: AdmissionRules = { allow, deny, perClient };
    if ((allow ?? deny ?? perClient) === undefined) this.#admission = undefined;
    else if (this.#admission === undefined) this.#admission = new Admission(rules);
    else this.#admission.configure(rules);
  }

  /** Refuses every client from now on, including those in the queue. */
  stop(now: Nanoseconds): void {
    this.passTime(now);
    this.#announcer.schedulerStopped(now);
    this.#stopping = true;
    for (const connection of this.#queue) this.#dismiss(connection, "stopping", now);
  }

  /** See `Scheduler.accept`. */
  accept(client: string, now: Nanoseconds): ConnectionState {
    this.passTime(now);
    const reason = this.#unwelcome(client, now);
    const connection = this.#begin(client, now);
    if (reason === undefined) this.#admitted(connection, now);
    else this.#refuse(connection, reason, undefined, now);
    return connection;
  }

  /** See `Scheduler.acceptProxy`. */
  acceptProxy(proxy: string, now: Nanoseconds): ConnectionState {
    this.passTime(now);
    const isAtLimit = this.#isAtLimit();
    this.#announcer.proxyConnected(proxy, now);
    const connection = this.#begin(proxy, now);
    if (this.#stopping) this.#refuse(connection, "stopping", undefined, now);
    else if (isAtLimit) this.#refuse(connection, "connection_limit", undefined, now);
    return connection;
  }

  #begin(client: string, now: Nanoseconds): ConnectionState {
    this.#present++;
    const connection = new ConnectionState(this, ++this.#lastNumber, client, now);
    if (this.#announcer.followsConnections) this.#announcer.connectionArrived(connection, now);
    return connection;
  }

  /** Why a client is refused; undefined if it is accepted. */
  #unwelcome(client: string, now: Nanoseconds): RefusalReason | undefined {
    if (this.#stopping) return "stopping";
    const isAtLimit = this.#isAtLimit();
    if (this.#admission !== undefined) return this.#admission.refusal(client, now, isAtLimit);
    return isAtLimit ? "connection_limit" : undefined;
  }

  /** A method, because V8 optimizes no private getter: each use is a call of its runtime. */
  #isAtLimit(): boolean {
    return this.#present >= this.#options.limits.connections;
  }

  admit(connection: ConnectionState, now: Nanoseconds): boolean {
    this.passTime(now);
    this.#announcer.clientNamed(connection, now);
    const reason = this.#admission?.refusal(connection.client, now);
    if (reason === undefined) this.#admitted(connection, now);
    else this.#refuse(connection, reason, undefined, now);
    return reason === undefined;
  }

  #admitted(connection: ConnectionState, now: Nanoseconds): void {
    connection.welcome();
    if (this.#admission !== undefined) this.#countForClient(connection, now);
  }

  /** Counts a connection for its client. A reload may have added or removed limits per client since the last count. */
  #countForClient(connection: ConnectionState, now: Nanoseconds): void {
    if (connection.admission !== this.#admission) this.#recountForClient(connection, now);
  }

  #recountForClient(connection: ConnectionState, now: Nanoseconds): void {
    const { admission, client } = connection;
    admission?.closed(client);
    connection.admission = this.#admission;
    this.#admission?.opened(client, now);
  }

  assign(
    connection: ConnectionState,
    now: Nanoseconds,
    trace: PickTrace | undefined,
  ): Outcome {
    this.passTime(now);
    if (this.#stopping) return this.#refuse(connection, "stopping", undefined, now);
    return this.#place(connection, now, trace);
  }

  /** Gives the connection a backend or a place in the queue, or refuses it. */
  #place(
    connection: ConnectionState,
    now: Nanoseconds,
    trace: PickTrace | undefined,
  ): Outcome {
    return this.#pick(connection, now, trace) ? CONNECT : this.#wait(connection, now);
  }

  /** Gives the connection a backend if one is available. Returns whether it did. */
  #pick(connection: ConnectionState, now: Nanoseconds, trace: PickTrace | undefined): boolean {
    const isExplained = trace === undefined && this.#announcer.wantsExplanations &&
      (connection.number - 1) % (this.#options.explainEvery ?? 1) === 0;
    const backend = isExplained
      ? this.#selectAndExplain(connection, now)
      : this.#selector.select(connection, now, trace);
    if (backend === undefined) return false;
    this.#inFlight++;
    connection.give(backend, now);
    if (this.#announcer.followsConnections) {
      this.#announcer.connectionPicked(connection, this.#inFlight, now);
    }
    this.#countForClient(connection, now);
    return true;
  }

  #selectAndExplain(connection: ConnectionState, now: Nanoseconds): BackendState | undefined {
    const explanation = new Explanation(this.#pool.all, connection.tried);
    const backend = this.#selector.select(connection, now, explanation);
    // For a connection that waits, an event has already said that no backend is available.
    if (backend !== undefined || connection.phase !== "waiting") {
      const { rule, candidates } = explanation;
      this.#announcer.pickExplained(connection, backend?.id ?? null, rule, candidates, now);
    }
    return backend;
  }

  /** No backend is available: the connection waits if it may get one later; otherwise it is refused. */
  #wait(connection: ConnectionState, now: Nanoseconds): Outcome {
    const { queue } = this.#options;
    if (queue === undefined || !this.#selector.mayFindRoom(connection, now)) {
      return this.#refuse(connection, this.#whyNone(connection), undefined, now);
    }
    if (this.#queue.size >= queue.length) {
      return this.#refuse(connection, "queue_full", undefined, now);
    }
    connection.phase = "waiting";
    this.#queue.add(connection, now, queue);
    this.wakeBy(now + queue.timeout);
    this.#countForClient(connection, now);
    this.#announcer.connectionQueued(connection, this.#queue.size, now);
    return WAIT;
  }

  #whyNone({ attempts }: ConnectionState): RefusalReason {
    if (attempts > 0) return "connects_failed";
    return this.#pool.all.some(isServing) ? "all_backends_full" : "no_backend_available";
  }

  /**
   * Gives free places to the connections that wait, first come, first served. A connection that no
   * backend can serve any more is refused.
   */
  serveWaiting(now: Nanoseconds): void {
    if (this.#queue.size > 0) this.#serveQueue(now);
  }

  #serveQueue(now: Nanoseconds): void {
    /** Whether there may be room for a connection that has tried no backend, and whose client is pinned to none. */
    let isRoomForAny = true;
    for (const connection of this.#queue) {
      const isRoom = isRoomForAny || this.#selector.hasRoomForItsOwn(connection, now);
      if (isRoom && this.#pick(connection, now, undefined)) {
        this.#queue.delete(connection);
        this.#announcer.connectionDequeued(connection, this.#queue.size, now);
        connection.onSettled?.(CONNECT, now);
      } else if (!this.#selector.mayFindRoom(connection, now)) {
        this.#dismiss(connection, this.#whyNone(connection), now);
      } else if (connection.tried === undefined) {
        isRoomForAny = false;
        if (this.#queue.retries === 0 && this.#selector.areAllAlike) return;
      }
    }
  }

  /** Refuses a connection that waits. */
  #dismiss(connection: ConnectionState, reason: RefusalReason, now: Nanoseconds): void {
    this.#queue.delete(connection);
    const refused = this.#refuse(connection, reason, undefined, now);
    connection.onSettled?.(refused, now);
  }

  connected(connection: ConnectionState, now: Nanoseconds): void {
    this.passTime(now);
    const { backend } = connection;
    backend.connections++;
    backend.provenAt = now;
    backend.ejection?.succeeded(now);
    if (this.#announcer.followsConnections) this.#announcer.connectionOpened(connection, now);
  }

  answered(connection: ConnectionState, now: Nanoseconds): void {
    this.passTime(now);
    this.#backendsSpeakFirst = !connection.isAsked;
    const { backend, others } = connection;
    const latency = connection.waitedForAnswer(now);
    if (this.#announcer.followsConnections) {
      this.#announcer.connectionAnswered(connection, latency, now);
    }
    this.#pool.answered(backend, latency, others, now);
  }

  clientFinished(connection: ConnectionState, now: Nanoseconds): void {
    this.passTime(now);
    if (connection.isAnswered) return;
    this.#announcer.clientFinished(connection, now);
    this.#noteSilence(connection, now);
  }

  /**
   * A connect failed, a connection ended, or its client finished. If there was no answer, the algorithm counts this
   * as a slow answer.
   */
  #noteSilence(connection: ConnectionState, now: Nanoseconds): void {
    // A client that asks nothing and gets nothing is idle, unless backends are those that begin.
    if (connection.isIdle && !this.#backendsSpeakFirst) return;
    const { backend, others } = connection;
    this.#pool.unanswered(backend, connection.waitedForAnswer(now), others, now);
  }

  connectFailed(
    connection: ConnectionState,
    reason: ConnectFailure,
    now: Nanoseconds,
    detail: string | undefined,
  ): Outcome {
    this.passTime(now);
    const { backend, session } = connection;
    backend.connectFailures++;
    backend.failedAt = now;
    if (session?.backend === backend) session.failedAt = now;
    this.#release(connection, now);
    this.#announcer.connectFailed(connection, reason, detail, now);
    connection.addTried(backend);
    this.#recovery.connectFailed(backend, now);
    const outcome = this.#retry(connection, now);
    this.serveWaiting(now);
    return outcome;
  }

  #retry(connection: ConnectionState, now: Nanoseconds): Outcome {
    if (this.#stopping) return this.#refuse(connection, "stopping", undefined, now);
    if (connection.attempts > this.#options.retries) {
      return this.#refuse(connection, "connects_failed", undefined, now);
    }
    return this.#place(connection, now, undefined);
  }

  refuse(
    connection: ConnectionState,
    reason: RefusalReason,
    now: Nanoseconds,
    detail: string | undefined,
  ): Refused {
    // First, as it may have waited for long enough by now.
    if (connection.phase === "waiting") this.#leaveQueue(connection, now);
    this.passTime(now);
    if (connection.phase !== "connecting") return this.#refuse(connection, reason, detail, now);
    this.#leaveBackend(connection, now);
    const refused = this.#refuse(connection, reason, detail, now);
    this.serveWaiting(now);
    return refused;
  }

  /** A connection that waits is about to end. */
  #leaveQueue(connection: ConnectionState, now: Nanoseconds): void {
    this.#announcer.queueLeft(connection, this.#nextWake, now);
    this.#queue.delete(connection);
  }

  leave(
    connection: ConnectionState,
    phase: "arriving" | "waiting" | "connecting",
    now: Nanoseconds,
  ): void {
    if (phase === "waiting") this.#leaveQueue(connection, now);
    this.passTime(now);
    if (phase === "connecting") this.#release(connection, now);
    this.#end(connection);
    this.#announcer.connectionLeft(connection, phase, now);
    if (phase === "connecting") this.serveWaiting(now);
  }

  close(
    connection: ConnectionState,
    end: ConnectionEnd,
    now: Nanoseconds,
    traffic: Traffic,
  ): void {
    this.passTime(now);
    if (!connection.isAnswered) this.#announcer.clientAsked(connection, now);
    this.#release(connection, now);
    this.#end(connection);
    if (this.#announcer.followsConnections) {
      this.#announcer.connectionClosed(connection, end, traffic, now);
    }
    this.serveWaiting(now);
  }

  /**
   * A connection leaves its backend. If it ends without an answer, the algorithm is notified.
   */
  #release(connection: ConnectionState, now: Nanoseconds): void {
    this.#leaveBackend(connection, now);
    if (!connection.isAnswered) this.#noteSilence(connection, now);
  }

  #leaveBackend(connection: ConnectionState, now: Nanoseconds): void {
    this.#inFlight--;
    this.#selector.release(connection, now);
  }

  #refuse(
    connection: ConnectionState,
    reason: RefusalReason,
    detail: string | undefined,
    now: Nanoseconds,
  ): Refused {
    connection.refusal = reason;
    this.#end(connection);
    this.#announcer.connectionRefused(connection, reason, detail, now);
    return { kind: "refused", reason };
  }

  #end(connection: ConnectionState): void {
    connection.phase = "ended";
    this.#present--;
    connection.admission?.closed(connection.client);
  }
}
