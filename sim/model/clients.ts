import { assert, type Nanoseconds } from "../../lib/base/mod.ts";
import type { Scenario } from "../../lib/scenario/types.ts";
import { type Chances, Demand, type Population } from "../../lib/workload/mod.ts";
import { ANSWERED, ASSIGNED, AWAITED, BROKEN, ERROR, OK, RELAYED } from "./connections.ts";
import type { Connection } from "./connections.ts";
import { Deadlines } from "./deadlines.ts";
import {
  ABORT_AT_BALANCER,
  ARRIVAL,
  BEGIN,
  CLIENT_DEADLINE,
  CLOSE,
  NEXT_REQUEST,
  REACH_BALANCER,
} from "../engine/mod.ts";
import type { Outcome } from "../measure/mod.ts";
import type { World } from "./world.ts";

/** The owner of a connection that belongs to no client of a closed loop. */
const NO_OWNER = -1;

/**
 * The clients: they arrive, connect, send requests, wait, time out, retry, think and leave.
 *
 * A connection begins with a handshake: its first request reaches the balancer three messages after the client began.
 * The sojourn time counts from this beginning and includes all retries and pauses. It does not depend on earlier
 * requests, so there is no coordinated omission.
 *
 * The draws of a request (its work, its pauses, its balancer) depend only on its origin (a client of the closed loop,
 * or an arrival) and its number there. So all variants get the same requests, in any order of the events.
 */
export class Clients {
  readonly #world: World;
  #demand: Demand;
  readonly #chances: Chances;
  /** The deadlines, one object for each timeout that clients have had. The last one has the present timeout. */
  readonly #deadlines: Deadlines[];
  #changes = 0;
  readonly #lastConnection: number;
  #arrived = 0;
  /** The number of requests that each client of the closed loop has begun. */
  readonly #begun: number[];
  #stopped = false;

  constructor(world: World) {
    const { scenario, seed } = world;
    const { workload } = scenario;
    this.#world = world;
    this.#demand = new Demand(scenario, seed);
    this.#chances = world.chances;
    this.#deadlines = [new Deadlines(workload.timeout, CLIENT_DEADLINE, 0, world.queue)];
    this.#lastConnection = "connections" in scenario.end ? scenario.end.connections : Infinity;
    this.#begun = Array.from({ length: this.#demand.inLoop }, () => 0);
  }

  get population(): Population {
    return this.#demand.population;
  }

  /** The number of clients of the closed loop; 0 in an open loop. */
  get inLoop(): number {
    return this.#demand.inLoop;
  }

  /** Whether clients have stopped: no client begins a connection or a request any more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Clients begin to arrive. */
  start(): void {
    this.#scheduleArrival();
    for (let owner = 0; owner < this.inLoop; owner++) this.#scheduleNextConnection(owner, 0);
  }

  /** Clients stop: no client begins a connection or a request from now on. */
  stop(): void {
    this.#stopped = true;
  }

  /** The workload or the service times have changed. A timeout applies to waits that begin from now on. */
  change(before: Scenario, now: Nanoseconds): void {
    const { queue, scenario, seed } = this.#world;
    const { workload } = scenario;
    const { arrivals } = this.#demand;
    this.#demand = new Demand(scenario, seed, {
      demand: this.#demand,
      at: now,
      change: ++this.#changes,
    });
    if (this.#demand.arrivals !== arrivals && !this.#stopped) {
      queue.dropSingle();
      this.#scheduleArrival();
    }
    if (workload.timeout === before.workload.timeout) return;
    this.#deadlines.push(
      new Deadlines(workload.timeout, CLIENT_DEADLINE, this.#deadlines.length, queue),
    );
  }

  /** The next client connects. */
  arrive(now: Nanoseconds): void {
    if (this.#stopped) return;
    this.#scheduleArrival();
    const connection = this.#world.connections.take(0);
    connection.client = this.#demand.clientOf(this.#arrived);
    connection.owner = NO_OWNER;
    connection.origin = this.#arrived++;
    connection.nth = 0;
    this.#offerFirst(connection, now);
    this.#connect(connection, now);
  }

  /** Called when the think time of a client of the closed loop has ended, or when a client retries. */
  begin(connection: Connection, now: Nanoseconds): void {
    connection.pending = 0;
    if (!connection.is(AWAITED)) {
      if (this.#stopped) {
        this.#world.connections.free(connection);
        return;
      }
      const { owner } = connection;
      connection.client = this.population.indexOf(owner);
      connection.origin = owner;
      connection.nth = this.#begun[owner]!;
      this.#offerFirst(connection, now);
    }
    this.#connect(connection, now);
  }

  /** Called when a client's think time has ended: it sends another request on its connection. */
  nextRequest(connection: Connection, now: Nanoseconds): void {
    connection.pending = 0;
    const broken = connection.is(BROKEN);
    if (this.#stopped) {
      if (broken) this.#world.freeIfUnused(connection);
      else this.#close(connection, now);
      return;
    }
    this.#offer(connection, now);
    if (broken) {
      this.#connect(this.takeOver(connection), now);
      this.#world.freeIfUnused(connection);
      return;
    }
    connection.flags &= ~(ANSWERED | RELAYED);
    this.#startWaiting(connection, now);
    this.#world.relay.forward(connection, now);
  }

  /** The answer has reached the client; it may be an error or a refusal. */
  answered(connection: Connection, now: Nanoseconds): void {
    const { recorder, warmup } = this.#world;
    connection.pending = 0;
    if (!connection.is(AWAITED)) {
      this.#world.freeIfUnused(connection);
      return;
    }
    if (connection.answer !== OK) {
      this.fail(connection, connection.answer === ERROR ? "failed" : "refused", now);
      return;
    }
    this.#stopWaiting(connection);
    recorder.completions++;
    this.#world.watcher?.answered(connection, now);
    const { startedAt, queued, waited, backend } = connection;
    if (startedAt >= warmup) {
      backend.done++;
      recorder.requestDone(now - startedAt, queued + waited);
    }
    connection.queued = 0;
    connection.requestsLeft--;
    if (connection.requestsLeft > 0 && !this.#stopped) {
      const think = this.#demand.thinkTime(connection.origin, connection.nth);
      connection.pending = this.#world.queue.push(now + think, NEXT_REQUEST, connection.number);
      return;
    }
    this.#think(connection, now);
    this.#close(connection, now);
  }

  /** The present attempt has failed: the client retries, or the request has failed. */
  fail(connection: Connection, outcome: Exclude<Outcome, "done">, now: Nanoseconds): void {
    const { recorder, warmup, queue } = this.#world;
    const { retries } = this.#world.scenario.workload;
    const { startedAt, picked, origin, nth, attempt } = connection;
    const measured = startedAt >= warmup;
    this.#world.watcher?.attemptFailed(connection, outcome, attempt > retries.max, now);
    if (measured && outcome !== "refused" && picked !== undefined) picked.failed++;
    if (attempt > retries.max) {
      this.#stopWaiting(connection);
      if (measured) recorder.requests[outcome]++;
      this.#think(connection, now);
    } else {
      if (measured) recorder.requests.retried++;
      const again = this.takeOver(connection);
      again.attempt = attempt + 1;
      const at = Math.min(
        now + this.#demand.backoff(origin, nth, attempt),
        Number.MAX_SAFE_INTEGER,
      );
      again.pending = queue.push(at, BEGIN, again.number);
    }
    if (outcome !== "timedOut") this.#close(connection, now);
  }

  /**
   * Creates a connection that continues the request of another one. The client waits on the new connection from now
   * on.
   */
  takeOver(connection: Connection): Connection {
    const { startedAt, work, origin, nth, client, owner, requestsLeft, attempt } = connection;
    this.#stopWaiting(connection);
    const successor = this.#world.connections.take(AWAITED);
    connection.owner = NO_OWNER;
    const request = { startedAt, work, origin, nth, client, owner, requestsLeft, attempt };
    return Object.assign(successor, request);
  }

  /** Clients whose timeout has passed give up. */
  deadline(index: number, now: Nanoseconds): void {
    this.#deadlines[index]!.pass(now, (connection) => this.#timeOut(connection, now));
  }

  #scheduleArrival(): void {
    const { arrivals } = this.#demand;
    if (arrivals === undefined) return;
    const at = arrivals.next();
    if (at !== Infinity) this.#world.queue.push(at, ARRIVAL, 0);
  }

  /** The first request of a new connection. */
  #offerFirst(connection: Connection, now: Nanoseconds): void {
    const { recorder, warmup } = this.#world;
    const { origin, nth } = connection;
    connection.requestsLeft = this.#demand.requestsFrom(origin, nth);
    this.#offer(connection, now);
    if (now < warmup) return;
    recorder.connections++;
    if (recorder.connections >= this.#lastConnection) this.#stopped = true;
  }

  #offer(connection: Connection, now: Nanoseconds): void {
    const { recorder, warmup } = this.#world;
    const { owner, origin } = connection;
    const nth = ++connection.nth;
    if (owner !== NO_OWNER) this.#begun[owner] = nth;
    connection.flags |= AWAITED;
    connection.startedAt = now;
    connection.attempt = 1;
    connection.work = this.#demand.work(origin, nth);
    if (now >= warmup) recorder.requests.offered++;
  }

  #connect(connection: Connection, now: Nanoseconds): void {
    const { network, balancers, queue, overheads } = this.#world;
    const { origin, nth, attempt } = connection;
    const index = this.#chances.balancer(origin, nth, attempt, balancers.length);
    connection.balancer = balancers[index]!;
    this.#startWaiting(connection, now);
    if (network.client.instant) {
      this.#world.relay.reached(connection, now);
      return;
    }
    const handshake = overheads.connect + network.client.delay() +
      network.client.delay() + network.client.delay();
    connection.pending = queue.push(now + handshake, REACH_BALANCER, connection.number);
  }

  #startWaiting(connection: Connection, now: Nanoseconds): void {
    connection.wait++;
    this.#deadlines.at(-1)!.set(connection, now);
  }

  #stopWaiting(connection: Connection): void {
    assert(connection.is(AWAITED), "a request ends once");
    connection.flags &= ~AWAITED;
    connection.wait++;
  }

  #timeOut(connection: Connection, now: Nanoseconds): void {
    const { network, queue } = this.#world;
    this.fail(connection, "timedOut", now);
    if (network.client.instant) {
      this.#world.relay.clientGone(connection, now);
      return;
    }
    connection.clientAbort = queue.push(
      now + network.client.delay(),
      ABORT_AT_BALANCER,
      connection.number,
    );
  }

  #close(connection: Connection, now: Nanoseconds): void {
    const { network, queue } = this.#world;
    if (!connection.is(ASSIGNED)) {
      this.#world.freeIfUnused(connection);
    } else if (network.client.instant) {
      this.#world.relay.closed(connection, now);
    } else {
      connection.pending = queue.push(now + network.client.delay(), CLOSE, connection.number);
    }
  }

  /** A client of the closed loop thinks, then begins another connection. */
  #think(connection: Connection, now: Nanoseconds): void {
    const { owner } = connection;
    connection.owner = NO_OWNER;
    if (owner !== NO_OWNER && !this.#stopped) this.#scheduleNextConnection(owner, now);
  }

  #scheduleNextConnection(owner: number, now: Nanoseconds): void {
    const { connections, queue } = this.#world;
    const connection = connections.take(0);
    connection.owner = owner;
    const think = this.#demand.loopPause(owner);
    connection.pending = queue.push(now + think, BEGIN, connection.number);
  }
}
