import { assert, type Nanoseconds } from "../../lib/base/mod.ts";
import {
  type Backend,
  type ConnectFailure,
  type Connection as ScheduledConnection,
  type ConnectionEnd,
  type Outcome,
  sweepInterval,
} from "../../lib/core/mod.ts";
import type { BalancerModel } from "./balancer_model.ts";
import type { BackendModel } from "./backend_model.ts";
import {
  ANSWERED,
  ASSIGNED,
  AWAITED,
  BROKEN,
  type Connection,
  ERROR,
  OPEN,
  PROBE,
  QUEUED,
  REFUSED,
  RELAYED,
  RESERVED,
} from "./connections.ts";
import {
  ABORT_AT_BACKEND,
  ANSWER,
  ANSWER_AT_BALANCER,
  CONNECT,
  CONNECT_REPLY,
  CONNECT_TIMEOUT,
  HAS_ROOM,
  IDLE_SWEEP,
  REQUEST,
  RESET_AT_BALANCER,
} from "../engine/mod.ts";
import type { RefusalCause } from "../../lib/metrics/mod.ts";
import type { World } from "./world.ts";

/** A message between balancer and backend that is held back at present. */
interface Held {
  readonly kind: number;
  readonly connection: Connection;
  /** The number that the connection expects while the message is held back, instead of an event's sequence number. */
  readonly token: number;
}

/**
 * The work of the balancers: a client is accepted, a backend is picked and connected to, messages pass in both
 * directions, and the connection ends. It does in virtual time what the live balancer does with sockets; the
 * scheduler makes every decision.
 */
export class Relay {
  readonly #world: World;
  /** The messages that are held back until a partition, a hang or a pause ends, by balancer and backend. */
  readonly #held = new Map<number, Held[]>();
  #lastToken = 0;
  /** Sequence number of the next search for idle connections; an event with another number is out of date. */
  #sweepEvent = 0;

  constructor(world: World) {
    this.#world = world;
  }

  start(): void {
    this.#scheduleSweep(this.#world.scenario.balancer.timeouts.idle);
  }

  /** `timeouts.idle` has changed. */
  idleTimeoutChanged(now: Nanoseconds): void {
    const { idle } = this.#world.scenario.balancer.timeouts;
    this.#scheduleSweep(idle === Infinity ? Infinity : now + Math.round(sweepInterval(idle)));
  }

  /** A client's connection has reached its balancer. */
  reached(connection: Connection, now: Nanoseconds): void {
    connection.pending = 0;
    if (!connection.is(AWAITED)) {
      this.#world.freeIfUnused(connection);
      return;
    }
    const { balancer } = connection;
    if (!balancer.listening) {
      this.#refuse(connection, "balancer_down", now);
      return;
    }
    connection.pickedAt = now;
    const scheduled = balancer.accept(
      this.#world.clients.population.address(connection.client),
      now,
    );
    connection.scheduled = scheduled;
    if (scheduled.refusal !== undefined) this.#refuse(connection, scheduled.refusal, now);
    else this.#follow(connection, scheduled.assign(now), now);
  }

  /** A connect has reached the backend. */
  connectReached(connection: Connection, now: Nanoseconds): void {
    const { network, queue, overheads } = this.#world;
    const verdict = this.#isCut(connection) ? "silent" : connection.backend.verdict;
    const deadline = this.#connectDeadline(connection);
    const replyAt = now + overheads.connect + network.backend.delay();
    if (verdict === "silent" || replyAt > deadline) {
      connection.pending = queue.push(Math.max(now, deadline), CONNECT_TIMEOUT, connection.number);
      return;
    }
    if (verdict === "accepted") this.#reserve(connection);
    connection.pending = queue.push(replyAt, CONNECT_REPLY, connection.number);
  }

  /** The backend's reply to a connect has arrived. */
  connectReplied(connection: Connection, now: Nanoseconds): void {
    if (connection.is(RESERVED)) this.#connected(connection, now);
    else this.connectFailed(connection, "refused", now);
  }

  /** A connect has failed: another backend is tried, or the client is refused. */
  connectFailed(connection: Connection, reason: ConnectFailure, now: Nanoseconds): void {
    this.#follow(connection, this.#endAttempt(connection, reason, now), now);
  }

  /** A backend has a free place for a connection that waited. */
  hasRoom(connection: Connection, now: Nanoseconds): void {
    connection.pending = 0;
    if (!this.#dial(connection, now)) this.connectFailed(connection, "refused", now);
  }

  /** A client sends another request on an open connection. */
  forward(connection: Connection, now: Nanoseconds): void {
    const { network } = this.#world;
    connection.movedAt = now;
    this.#sendToBackend(connection, network.client.delay(), now);
  }

  /** The backend has answered: the answer is sent to the balancer. */
  answer(connection: Connection, now: Nanoseconds): void {
    connection.flags |= ANSWERED;
    if (this.#isCut(connection)) this.hold(connection, ANSWER_AT_BALANCER);
    else if (this.#world.network.backend.instant) this.answerReached(connection, now);
    else this.#depart(connection, ANSWER_AT_BALANCER, now);
  }

  /** The answer has reached the balancer, which passes it on to the client. */
  answerReached(connection: Connection, now: Nanoseconds): void {
    const { network, clients, queue } = this.#world;
    connection.pending = 0;
    if (!connection.is(ASSIGNED)) {
      this.#world.freeIfUnused(connection);
      return;
    }
    connection.flags |= RELAYED;
    connection.movedAt = now;
    scheduledOf(connection).answered(now);
    if (network.client.instant) clients.answered(connection, now);
    else connection.pending = queue.push(now + network.client.delay(), ANSWER, connection.number);
  }

  /** The client has closed. */
  closed(connection: Connection, now: Nanoseconds): void {
    connection.pending = 0;
    if (connection.is(ASSIGNED)) this.#release(connection, "closed", now);
    this.#world.freeIfUnused(connection);
  }

  /** The client has given up. */
  clientGone(connection: Connection, now: Nanoseconds): void {
    connection.clientAbort = 0;
    if (connection.is(ASSIGNED)) this.#abort(connection, "client_aborted", now);
    else if (connection.is(QUEUED)) this.#leaveQueue(connection).leave(now);
    this.#world.freeIfUnused(connection);
  }

  /** The backend resets the connection. */
  reset(connection: Connection, now: Nanoseconds): void {
    if (this.#isCut(connection)) this.hold(connection, RESET_AT_BALANCER);
    else if (this.#world.network.backend.instant) this.wasReset(connection, now);
    else this.#depart(connection, RESET_AT_BALANCER, now);
  }

  /** The balancer learns that the backend has reset the connection. */
  wasReset(connection: Connection, now: Nanoseconds): void {
    connection.reset = 0;
    if (connection.is(ASSIGNED)) {
      connection.flags |= BROKEN;
      this.#release(connection, "backend_aborted", now);
      this.#failForClient(connection, now);
    }
    this.#world.freeIfUnused(connection);
  }

  /** A balancer crashes: its connections are reset in both directions. */
  drop(balancer: BalancerModel, now: Nanoseconds): void {
    const { connections } = this.#world;
    for (const connection of connections.all) {
      if (!connection.is(QUEUED) || connection.balancer !== balancer) continue;
      this.#leaveQueue(connection).refuse("stopping", now);
      this.#refuse(connection, "balancer_down", now);
    }
    for (const connection of connections.all) {
      const held = (connection.flags & (ASSIGNED | PROBE)) === ASSIGNED;
      if (!held || connection.balancer !== balancer) continue;
      this.#cutOff(connection, "closed_by_balancer", now);
    }
  }

  /** Closes connections on which no data has moved for `timeouts.idle`. */
  sweepIdle(event: number, now: Nanoseconds): void {
    if (event !== this.#sweepEvent) return;
    const { connections, scenario, recorder, warmup } = this.#world;
    const { idle } = scenario.balancer.timeouts;
    let oldest = now;
    let open = false;
    for (const connection of connections.all) {
      if ((connection.flags & (ASSIGNED | OPEN)) !== (ASSIGNED | OPEN)) continue;
      open = true;
      const { movedAt } = connection;
      if (movedAt + idle <= now) {
        if (connection.is(AWAITED) && connection.startedAt >= warmup) recorder.idleCuts++;
        this.#cutOff(connection, "idle_timeout", now);
      } else oldest = Math.min(oldest, movedAt);
    }
    if (!open && this.#world.queue.idle) return;
    this.#scheduleSweep(Math.max(oldest + idle, now + Math.round(sweepInterval(idle))));
  }

  /** Holds a message back until it can be sent. */
  hold(connection: Connection, kind: number): void {
    const token = --this.#lastToken;
    const link = this.#linkOf(connection.balancer, connection.backend);
    const held = this.#held.get(link);
    if (held === undefined) this.#held.set(link, [{ kind, connection, token }]);
    else held.push({ kind, connection, token });
    connection.expect(kind, token);
  }

  /**
   * A partition, a hang or a pause has ended. The messages that were held back are sent, unless another fault holds
   * them back.
   */
  resume(balancer: BalancerModel, backend: BackendModel, now: Nanoseconds): void {
    if (balancer.cuts[backend.index]! > 0) return;
    const link = this.#linkOf(balancer, backend);
    const held = this.#held.get(link) ?? [];
    this.#held.delete(link);
    for (const { kind, connection, token } of held) {
      if (connection.expects(kind, token)) this.#depart(connection, kind, now);
    }
  }

  /** Tries one backend after another until a connect has begun or succeeded, or no backend is left. */
  #follow(connection: Connection, outcome: Outcome, now: Nanoseconds): void {
    while (outcome.kind === "connect") {
      this.#beginAttempt(connection, now);
      if (this.#dial(connection, now)) return;
      outcome = this.#endAttempt(connection, "refused", now);
    }
    if (outcome.kind === "refused") this.#refuse(connection, outcome.reason, now);
    else this.#queue(connection);
  }

  #beginAttempt(connection: Connection, now: Nanoseconds): void {
    const backend = connection.balancer.modelOf(scheduledOf(connection).backend);
    connection.flags |= ASSIGNED;
    connection.picked = backend;
    backend.count(1, now);
  }

  /** Begins to connect; false if the connect is refused at once. */
  #dial(connection: Connection, now: Nanoseconds): boolean {
    const { network, queue } = this.#world;
    const cut = this.#isCut(connection);
    if (!network.backend.instant && !cut) {
      connection.pending = queue.push(now + network.backend.delay(), CONNECT, connection.number);
      return true;
    }
    const verdict = cut ? "silent" : connection.backend.verdict;
    if (verdict === "accepted") {
      // Without latency, the request arrives together with the connect, so the backend reserves no place for it.
      this.#connected(connection, now);
    } else if (verdict === "silent") {
      connection.pending = queue.push(
        this.#connectDeadline(connection),
        CONNECT_TIMEOUT,
        connection.number,
      );
    }
    return verdict !== "refused";
  }

  /** The client waits until a backend has a free place. */
  #queue(connection: Connection): void {
    const { queue } = this.#world;
    connection.flags |= QUEUED;
    connection.pending = 0;
    scheduledOf(connection).onSettled = (outcome, now) => {
      const { queuedAt } = this.#leaveQueue(connection);
      if (outcome.kind === "refused") {
        this.#recordRefusal(connection, outcome.reason, now);
        this.#sendRefusal(connection, now);
        return;
      }
      connection.queued += now - queuedAt!;
      this.#beginAttempt(connection, now);
      // The event that made room is still being handled, so the connect begins after it.
      connection.pending = queue.push(now, HAS_ROOM, connection.number);
    };
  }

  #leaveQueue(connection: Connection): ScheduledConnection {
    connection.flags &= ~QUEUED;
    connection.pending = 0;
    return scheduledOf(connection);
  }

  #endAttempt(connection: Connection, reason: ConnectFailure, now: Nanoseconds): Outcome {
    this.#leaveBackend(connection, now);
    return scheduledOf(connection).connectFailed(reason, now);
  }

  #connected(connection: Connection, now: Nanoseconds): void {
    const { recorder, warmup } = this.#world;
    const scheduled = scheduledOf(connection);
    connection.flags |= OPEN;
    connection.movedAt = now;
    scheduled.connected(now);
    scheduled.asked(now);
    if (now >= warmup) {
      connection.backend.reached++;
      if (scheduled.attempt > 1) recorder.failover.record(now - connection.pickedAt);
    }
    this.#sendToBackend(connection, 0, now);
  }

  #sendToBackend(connection: Connection, delay: Nanoseconds, now: Nanoseconds): void {
    const { network, queue, service } = this.#world;
    if (this.#isCut(connection)) {
      this.hold(connection, REQUEST);
    } else if (delay === 0 && network.backend.instant) {
      service.request(connection, now);
    } else {
      const at = now + delay + network.backend.delay();
      connection.pending = queue.push(at, REQUEST, connection.number);
    }
  }

  #refuse(connection: Connection, reason: RefusalCause, now: Nanoseconds): void {
    this.#recordRefusal(connection, reason, now);
    if (this.#world.network.client.instant) this.#world.clients.answered(connection, now);
    else this.#sendRefusal(connection, now);
  }

  #recordRefusal(connection: Connection, reason: RefusalCause, now: Nanoseconds): void {
    const { recorder, warmup } = this.#world;
    connection.answer = REFUSED;
    if (now >= warmup) recorder.clientRefused(reason);
  }

  #sendRefusal(connection: Connection, now: Nanoseconds): void {
    const { network, queue } = this.#world;
    connection.pending = queue.push(now + network.client.delay(), ANSWER, connection.number);
  }

  /** A balancer closes every open connection to a backend. */
  closeAllOn(balancer: BalancerModel, backend: Backend, now: Nanoseconds): void {
    const { connections } = this.#world;
    for (const connection of connections.all) {
      if ((connection.flags & (ASSIGNED | OPEN)) !== (ASSIGNED | OPEN)) continue;
      if (connection.balancer !== balancer) continue;
      if (connection.scheduled?.backend === backend) this.#cutOff(connection, "backend_down", now);
    }
  }

  /** The balancer closes a connection in both directions. */
  #cutOff(connection: Connection, end: ConnectionEnd, now: Nanoseconds): void {
    connection.flags |= BROKEN;
    this.#abort(connection, end, now);
    this.#failForClient(connection, now);
    this.#world.freeIfUnused(connection);
  }

  /**
   * If the client waits for an answer that the balancer has not passed on, its attempt fails. A client
   * in its think time detects the end when it is about to send its next request.
   */
  #failForClient(connection: Connection, now: Nanoseconds): void {
    const { network, clients, queue } = this.#world;
    if ((connection.flags & (AWAITED | RELAYED)) !== AWAITED) return;
    if (network.client.instant) {
      clients.fail(connection, "failed", now);
      return;
    }
    // The backend may continue to serve this request, so another connection carries the failure to the client.
    const successor = clients.takeOver(connection);
    successor.answer = ERROR;
    successor.picked = connection.picked;
    successor.pending = queue.push(now + network.client.delay(), ANSWER, successor.number);
  }

  /**
   * Ends the connection at the balancer. If the backend has a request of this connection, a message about the end is
   * sent to it.
   */
  #abort(connection: Connection, end: ConnectionEnd, now: Nanoseconds): void {
    const { network, service } = this.#world;
    const open = connection.is(OPEN);
    this.#release(connection, end, now);
    if (!open) {
      connection.pending = 0;
      service.cancelReservation(connection);
    } else if (!connection.is(ANSWERED)) {
      if (this.#isCut(connection)) this.hold(connection, ABORT_AT_BACKEND);
      else if (network.backend.instant) service.clientGone(connection, now);
      else this.#depart(connection, ABORT_AT_BACKEND, now);
    }
  }

  #release(connection: Connection, end: ConnectionEnd, now: Nanoseconds): void {
    const scheduled = scheduledOf(connection);
    const isOpen = connection.is(OPEN);
    this.#leaveBackend(connection, now);
    if (isOpen) scheduled.close(end, now);
    else if (end === "client_aborted") scheduled.leave(now);
    else scheduled.refuse("stopping", now);
  }

  #leaveBackend(connection: Connection, now: Nanoseconds): void {
    connection.backend.count(-1, now);
    connection.flags &= ~(ASSIGNED | OPEN);
  }

  #reserve(connection: Connection): void {
    connection.flags |= RESERVED;
    connection.backend.server.reserved++;
  }

  /** Sends a message between balancer and backend. A reset that follows an answer does not arrive before the answer. */
  #depart(connection: Connection, kind: number, now: Nanoseconds): void {
    const { network, queue } = this.#world;
    let at = now + network.backend.delay();
    if (kind === ANSWER_AT_BALANCER) {
      connection.answerAt = at;
    } else if (kind === RESET_AT_BALANCER) {
      const behindAnswer = (connection.flags & (ANSWERED | RELAYED)) === ANSWERED;
      if (behindAnswer) at = Math.max(at, connection.answerAt);
    }
    connection.expect(kind, queue.push(at, kind, connection.number));
  }

  #linkOf(balancer: BalancerModel, backend: BackendModel): number {
    return balancer.index * this.#world.backends.length + backend.index;
  }

  #scheduleSweep(at: Nanoseconds): void {
    this.#sweepEvent = at === Infinity ? 0 : this.#world.queue.push(at, IDLE_SWEEP, 0);
  }

  #connectDeadline(connection: Connection): Nanoseconds {
    return scheduledOf(connection).pickedAt + this.#world.scenario.balancer.timeouts.connect;
  }

  #isCut(connection: Connection): boolean {
    if (this.#world.faults.cuts === 0) return false;
    const { balancer, backend } = connection;
    return balancer.cuts[backend.index]! > 0;
  }
}

/** The scheduler's object for a connection. Asserts that there is one. */
function scheduledOf({ scheduled }: Connection): ScheduledConnection {
  assert(scheduled !== undefined, "the scheduler knows a connection that has reached its balancer");
  return scheduled;
}
