import {
  assert,
  type ConnectFailure,
  type ConnectionEnd,
  type Lease,
  type Nanoseconds,
  type Refusal,
  type Waiting,
} from "../lib/core/mod.ts";
import type { BalancerModel } from "./balancer_model.ts";
import {
  ABORTING,
  ANSWERED,
  BROKEN,
  DESERTED,
  ERROR,
  LEASED,
  OPEN,
  PROBE,
  PROMISED,
  QUEUED,
  REFUSED,
  WAITED_FOR,
} from "./connections.ts";
import {
  ABORT_AT_BACKEND,
  ANSWER,
  CONNECT,
  CONNECT_REPLY,
  CONNECT_TIMEOUT,
  HAS_ROOM,
  IDLE_SWEEP,
  QUEUE_TIMEOUT,
  REQUEST,
} from "./event_kinds.ts";
import type { TurnedAway } from "./recorder.ts";
import type { World } from "./world.ts";

/** An idle connection is closed at the latest this share of the timeout too late. */
const IDLE_PRECISION = 0.01;

/** A message that waits for a partition to end. */
interface Held {
  readonly kind: number;
  readonly c: number;
  /** What `pending` of the connection is while the message waits. */
  readonly token: number;
}

/**
 * What happens at the balancers: a client is taken in, a backend is picked and connected to, messages
 * pass in both directions, and the lease ends. It does in virtual time what the live balancer does with
 * sockets; every decision is the scheduler's.
 */
export class Relay {
  readonly #world: World;
  /** By balancer and backend: what waits for a partition to end. */
  readonly #held = new Map<number, Held[]>();
  #lastToken = 0;

  constructor(world: World) {
    this.#world = world;
  }

  start(): void {
    this.#scheduleSweep(this.#world.scenario.balancer.timeouts.idle);
  }

  /** A client's connection has reached its balancer. */
  reached(c: number, now: Nanoseconds): void {
    const { connections, balancers, clients } = this.#world;
    connections.pending[c] = 0;
    if ((connections.flags[c]! & WAITED_FOR) === 0) {
      this.#world.settle(c);
      return;
    }
    const balancer = balancers[connections.balancer[c]!]!;
    if (!balancer.listening) {
      this.#turnAway(c, "balancer_down", now);
      return;
    }
    connections.pickedAt[c] = now;
    const address = clients.population.address(connections.client[c]!);
    this.#connect(c, balancer.acquire(address, now), now);
  }

  /** A connect has reached the backend. */
  connectReached(c: number, now: Nanoseconds): void {
    const { connections, links, queue } = this.#world;
    const verdict = this.#isCut(c) ? "silent" : this.#backend(c).verdict;
    const deadline = this.#connectDeadline(c);
    const replyAt = now + links.backend.delay();
    if (verdict === "silent" || replyAt > deadline) {
      connections.pending[c] = queue.push(Math.max(now, deadline), CONNECT_TIMEOUT, c);
      return;
    }
    if (verdict === "accepted") this.#promise(c);
    connections.pending[c] = queue.push(replyAt, CONNECT_REPLY, c);
  }

  /** The backend's reply to a connect has come. */
  connectReplied(c: number, now: Nanoseconds): void {
    if ((this.#world.connections.flags[c]! & PROMISED) !== 0) this.#connected(c, now);
    else this.connectFailed(c, "refused", now);
  }

  /** A connect has failed: another backend is tried, or the client is turned away. */
  connectFailed(c: number, reason: ConnectFailure, now: Nanoseconds): void {
    this.#connect(c, this.#giveUp(c, reason, now), now);
  }

  /** A backend has room for a connection that waited. */
  hasRoom(c: number, now: Nanoseconds): void {
    this.#world.connections.pending[c] = 0;
    if (!this.#dial(c, now)) this.connectFailed(c, "refused", now);
  }

  /** Nobody had room for a connection in time. */
  waitedTooLong(c: number, now: Nanoseconds): void {
    const { reason } = this.#leaveQueue(c).expire(now);
    this.#turnAway(c, reason, now);
  }

  /** Another request of an open connection leaves its client. */
  forward(c: number, now: Nanoseconds): void {
    const { links } = this.#world;
    this.#world.connections.movedAt[c] = now;
    this.#sendToBackend(c, links.client.delay(), now);
  }

  /** The backend has answered: the answer goes back to the client. */
  answer(c: number, now: Nanoseconds): void {
    const { connections, links, clients, queue } = this.#world;
    const { flags } = connections;
    flags[c] = flags[c]! | ANSWERED;
    connections.movedAt[c] = now;
    if (this.#isCut(c)) {
      this.#hold(c, ANSWER);
    } else if (links.backend.instant && links.client.instant) {
      clients.answered(c, now);
    } else {
      const delay = links.backend.delay() + links.client.delay();
      connections.pending[c] = queue.push(now + delay, ANSWER, c);
    }
  }

  /** The client has closed. */
  closed(c: number, now: Nanoseconds): void {
    this.#world.connections.pending[c] = 0;
    if ((this.#world.connections.flags[c]! & LEASED) !== 0) this.#release(c, "closed", now);
    this.#world.settle(c);
  }

  /** The client has given up. */
  clientGone(c: number, now: Nanoseconds): void {
    const { connections } = this.#world;
    const { flags } = connections;
    flags[c] = flags[c]! & ~ABORTING;
    if ((flags[c]! & LEASED) !== 0) this.#letGo(c, "client_aborted", now);
    // A live balancer reads nothing from a client that waits: it finds out when it has passed it on.
    else if ((flags[c]! & QUEUED) !== 0) flags[c] = flags[c]! | DESERTED;
    this.#world.settle(c);
  }

  /** The backend has reset the connection. */
  wasReset(c: number, now: Nanoseconds): void {
    const { connections } = this.#world;
    const { flags } = connections;
    connections.pending[c] = 0;
    if ((flags[c]! & LEASED) !== 0) this.#release(c, "backend_aborted", now);
    flags[c] = flags[c]! | BROKEN;
    this.#failsForClient(c, now);
    this.#world.settle(c);
  }

  /** The backend has reset a connection on which nobody waits for anything but an answer on its way. */
  wasResetInPassing(c: number, now: Nanoseconds): void {
    this.#release(c, "backend_aborted", now);
    const { flags } = this.#world.connections;
    flags[c] = flags[c]! | BROKEN;
  }

  /** A balancer dies: its connections are reset in both directions. */
  drop(balancer: BalancerModel, now: Nanoseconds): void {
    const { connections } = this.#world;
    for (let c = 0; c < connections.size; c++) {
      if ((connections.flags[c]! & QUEUED) === 0) continue;
      if (connections.balancer[c] !== balancer.index) continue;
      this.#leaveQueue(c).leave(now);
      this.#turnAway(c, "balancer_down", now);
    }
    for (let c = 0; c < connections.size; c++) {
      const held = (connections.flags[c]! & (LEASED | PROBE)) === LEASED;
      if (!held || connections.balancer[c] !== balancer.index) continue;
      this.#cutOff(c, "closed_by_balancer", now);
    }
  }

  /** Connections on which nothing has moved for `timeouts.idle` are closed. */
  sweepIdle(now: Nanoseconds): void {
    const { connections, scenario } = this.#world;
    const { idle } = scenario.balancer.timeouts;
    let oldest = now;
    let open = false;
    for (let c = 0; c < connections.size; c++) {
      if ((connections.flags[c]! & (LEASED | OPEN)) !== (LEASED | OPEN)) continue;
      open = true;
      const movedAt = connections.movedAt[c]!;
      if (movedAt + idle <= now) this.#cutOff(c, "idle_timeout", now);
      else oldest = Math.min(oldest, movedAt);
    }
    if (!open && this.#world.queue.idle) return;
    this.#scheduleSweep(Math.max(oldest + idle, now + Math.round(idle * IDLE_PRECISION)));
  }

  /** A partition is over: what waited goes on its way. */
  mend(balancer: number, backend: number, now: Nanoseconds): void {
    const { connections, links, queue, backends } = this.#world;
    const link = balancer * backends.length + backend;
    for (const { kind, c, token } of this.#held.get(link) ?? []) {
      if (connections.pending[c] !== token) continue;
      const delay = links.backend.delay() + (kind === ANSWER ? links.client.delay() : 0);
      connections.pending[c] = queue.push(now + delay, kind, c);
    }
    this.#held.delete(link);
  }

  /** Goes from pick to pick until a connect is under way, has succeeded, or nobody is left. */
  #connect(c: number, outcome: Lease | Waiting | Refusal, now: Nanoseconds): void {
    while (outcome.granted) {
      this.#take(c, outcome, now);
      if (this.#dial(c, now)) return;
      outcome = this.#giveUp(c, "refused", now);
    }
    if ("reason" in outcome) this.#turnAway(c, outcome.reason, now);
    else this.#queue(c, outcome);
  }

  #take(c: number, lease: Lease, now: Nanoseconds): void {
    const { connections, backends } = this.#world;
    const { index } = lease.backend;
    connections.flags[c] = connections.flags[c]! | LEASED;
    connections.lease[c] = lease;
    connections.backend[c] = index;
    backends[index]!.count(1, now);
  }

  /** Begins to connect; false if that is refused at once. */
  #dial(c: number, now: Nanoseconds): boolean {
    const { connections, links, queue } = this.#world;
    const cut = this.#isCut(c);
    if (!links.backend.instant && !cut) {
      connections.pending[c] = queue.push(now + links.backend.delay(), CONNECT, c);
      return true;
    }
    const verdict = cut ? "silent" : this.#backend(c).verdict;
    if (verdict === "accepted") {
      this.#promise(c);
      this.#connected(c, now);
    } else if (verdict === "silent") {
      connections.pending[c] = queue.push(this.#connectDeadline(c), CONNECT_TIMEOUT, c);
    }
    return verdict !== "refused";
  }

  /** The client waits for a backend to have room. */
  #queue(c: number, place: Waiting): void {
    const { connections, queue } = this.#world;
    connections.flags[c] = connections.flags[c]! | QUEUED;
    connections.place[c] = place;
    connections.pending[c] = queue.push(place.until, QUEUE_TIMEOUT, c);
    place.settled = (outcome, now) => {
      this.#leaveQueue(c);
      if (!outcome.granted) {
        this.#refuse(c, outcome.reason, now);
        this.#sendRefusal(c, now);
        return;
      }
      connections.queued[c] = connections.queued[c]! + now - place.since;
      this.#take(c, outcome, now);
      // What made room for it is not over yet: the connect begins after that.
      connections.pending[c] = queue.push(now, HAS_ROOM, c);
    };
  }

  #leaveQueue(c: number): Waiting {
    const { connections } = this.#world;
    const place = connections.place[c];
    assert(place !== undefined, "a connection that is queued has a place in the queue");
    connections.flags[c] = connections.flags[c]! & ~QUEUED;
    connections.place[c] = undefined;
    connections.pending[c] = 0;
    return place;
  }

  #giveUp(c: number, reason: ConnectFailure, now: Nanoseconds): Lease | Waiting | Refusal {
    const lease = this.#lease(c);
    this.#unlease(c, now);
    return lease.connectFailed(reason, now);
  }

  #connected(c: number, now: Nanoseconds): void {
    const { connections, recorder, warmup } = this.#world;
    const lease = this.#lease(c);
    connections.flags[c] = connections.flags[c]! | OPEN;
    connections.movedAt[c] = now;
    lease.connected(now);
    if (now >= warmup) {
      const { index } = lease.backend;
      recorder.reached[index] = recorder.reached[index]! + 1;
      if (lease.attempt > 1) recorder.failover.record(now - connections.pickedAt[c]!);
    }
    this.#sendToBackend(c, 0, now);
    if ((connections.flags[c]! & DESERTED) === 0) return;
    connections.flags[c] = connections.flags[c]! & ~DESERTED;
    this.clientGone(c, now);
  }

  #sendToBackend(c: number, delay: Nanoseconds, now: Nanoseconds): void {
    const { connections, links, queue, service } = this.#world;
    if (this.#isCut(c)) {
      this.#hold(c, REQUEST);
    } else if (delay === 0 && links.backend.instant) {
      service.request(c, now);
    } else {
      const at = now + delay + links.backend.delay();
      connections.pending[c] = queue.push(at, REQUEST, c);
    }
  }

  #turnAway(c: number, reason: TurnedAway, now: Nanoseconds): void {
    this.#refuse(c, reason, now);
    if (this.#world.links.client.instant) this.#world.clients.answered(c, now);
    else this.#sendRefusal(c, now);
  }

  #refuse(c: number, reason: TurnedAway, now: Nanoseconds): void {
    const { connections, recorder, warmup } = this.#world;
    connections.answer[c] = REFUSED;
    if (now >= warmup) recorder.clientTurnedAway(reason);
  }

  #sendRefusal(c: number, now: Nanoseconds): void {
    const { connections, links, queue } = this.#world;
    connections.pending[c] = queue.push(now + links.client.delay(), ANSWER, c);
  }

  /** A balancer closes every open connection to a backend. */
  closeAllOn(balancer: number, id: string, now: Nanoseconds): void {
    const { connections, backends } = this.#world;
    for (let c = 0; c < connections.size; c++) {
      if ((connections.flags[c]! & (LEASED | OPEN)) !== (LEASED | OPEN)) continue;
      if (connections.balancer[c] !== balancer) continue;
      if (backends[connections.backend[c]!]!.id === id) this.#cutOff(c, "backend_down", now);
    }
  }

  /** The balancer itself closes in both directions. */
  #cutOff(c: number, end: ConnectionEnd, now: Nanoseconds): void {
    const { flags } = this.#world.connections;
    // A client that thinks will find out before it sends its next request.
    if ((flags[c]! & WAITED_FOR) === 0) flags[c] = flags[c]! | BROKEN;
    this.#letGo(c, end, now);
    this.#failsForClient(c, now);
    this.#world.settle(c);
  }

  /** If its client waits, it learns that it waits in vain. */
  #failsForClient(c: number, now: Nanoseconds): void {
    const { connections, links, clients, queue } = this.#world;
    const { flags } = connections;
    if ((flags[c]! & WAITED_FOR) === 0) return;
    if (links.client.instant) {
      clients.fails(c, "failed", now);
      return;
    }
    // The backend may go on with the request: the bad news takes a connection of its own.
    const heir = clients.takeOver(c);
    connections.answer[heir] = ERROR;
    connections.backend[heir] = connections.backend[c]!;
    connections.pending[heir] = queue.push(now + links.client.delay(), ANSWER, heir);
    clients.isLeft(c);
  }

  /** Ends the lease, and lets the backend know if there is anything for it to know. */
  #letGo(c: number, end: ConnectionEnd, now: Nanoseconds): void {
    const { connections, links, queue, service } = this.#world;
    const { flags } = connections;
    const open = (flags[c]! & OPEN) !== 0;
    this.#release(c, end, now);
    if (!open) {
      connections.pending[c] = 0;
      service.unpromise(c);
    } else if (links.backend.instant) {
      service.clientGone(c, now);
    } else {
      flags[c] = flags[c]! | ABORTING;
      queue.push(now + links.backend.delay(), ABORT_AT_BACKEND, c);
    }
  }

  #release(c: number, end: ConnectionEnd, now: Nanoseconds): void {
    const lease = this.#lease(c);
    this.#unlease(c, now);
    lease.release(end, now);
  }

  #unlease(c: number, now: Nanoseconds): void {
    const { connections } = this.#world;
    this.#backend(c).count(-1, now);
    connections.flags[c] = connections.flags[c]! & ~(LEASED | OPEN);
    connections.lease[c] = undefined;
  }

  #promise(c: number): void {
    const { flags } = this.#world.connections;
    flags[c] = flags[c]! | PROMISED;
    this.#backend(c).server.promised++;
  }

  #hold(c: number, kind: number): void {
    const { connections, backends } = this.#world;
    const token = --this.#lastToken;
    const link = connections.balancer[c]! * backends.length + connections.backend[c]!;
    const held = this.#held.get(link);
    if (held === undefined) this.#held.set(link, [{ kind, c, token }]);
    else held.push({ kind, c, token });
    connections.pending[c] = token;
  }

  #scheduleSweep(at: Nanoseconds): void {
    if (at !== Infinity) this.#world.queue.push(at, IDLE_SWEEP, 0);
  }

  #connectDeadline(c: number): Nanoseconds {
    return this.#lease(c).acquiredAt + this.#world.scenario.balancer.timeouts.connect;
  }

  #isCut(c: number): boolean {
    const { connections, balancers, faults } = this.#world;
    return faults.cuts > 0 &&
      balancers[connections.balancer[c]!]!.cuts[connections.backend[c]!]! > 0;
  }

  #backend(c: number) {
    return this.#world.backends[this.#world.connections.backend[c]!]!;
  }

  #lease(c: number): Lease {
    const lease = this.#world.connections.lease[c];
    assert(lease !== undefined, "a connection that is leased has a lease");
    return lease;
  }
}
