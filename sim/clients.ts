import { assert, childSeed, createRandom, type Nanoseconds, type Random } from "../lib/core/mod.ts";
import type { TraceEntry, Workload } from "../lib/scenario/types.ts";
import { power } from "../lib/base/mod.ts";
import { createSampler, type Sampler } from "../lib/stats/variates.ts";
import { type ArrivalProcess, createArrivals } from "./arrivals.ts";
import {
  ANSWERED,
  BROKEN,
  type Connection,
  ERROR,
  LEASED,
  OK,
  RELAYED,
  WAITED_FOR,
} from "./connections.ts";
import { Deadlines } from "./deadlines.ts";
import {
  ABORT_AT_BALANCER,
  ARRIVAL,
  BEGIN,
  CLIENT_DEADLINE,
  CLOSE,
  NEXT_REQUEST,
  REACH_BALANCER,
} from "./event_kinds.ts";
import { Population } from "./population.ts";
import type { Outcome } from "./recorder.ts";
import type { World } from "./world.ts";

/** Nobody of the closed loop. */
const NO_OWNER = -1;

/**
 * The clients: they come, connect, send requests, wait, lose patience, try again, think, and leave.
 *
 * A connection costs its client a handshake: its first request reaches the balancer three messages after
 * the client began. Its sojourn is counted from that beginning, retries and pauses included, whatever
 * became of earlier requests: there is no coordinated omission.
 */
export class Clients {
  readonly population: Population;
  readonly #world: World;
  readonly #workload: Workload;
  readonly #arrivals: ArrivalProcess | undefined;
  readonly #trace: readonly TraceEntry[] | undefined;
  readonly #think: Sampler[] = [];
  readonly #jobs: Sampler;
  readonly #requestsPerConnection: Sampler | undefined;
  readonly #thinkTime: Sampler;
  readonly #lots: Random;
  readonly #backoff: Random;
  readonly #deadlines: Deadlines;
  readonly #lastConnection: number;
  #arrived = 0;
  #requests = 0;
  #leaving = false;

  constructor(world: World) {
    const { scenario, seed } = world;
    const { workload } = scenario;
    const { arrivals } = workload;
    const stream = (...path: (string | number)[]) => createRandom(childSeed(seed, ...path));
    this.#world = world;
    this.#workload = workload;
    this.population = new Population(workload.clients, seed);
    this.#jobs = createSampler(scenario.service, stream("jobs"));
    const { requestsPerConnection: requests } = workload;
    this.#requestsPerConnection = requests.kind === "deterministic" && requests.value <= 1
      ? undefined
      : createSampler(requests, stream("requests per connection"));
    this.#thinkTime = createSampler(workload.thinkTime, stream("think time"));
    this.#lots = stream("choice of balancer");
    this.#backoff = stream("backoff");
    this.#deadlines = new Deadlines(workload.timeout, CLIENT_DEADLINE, world.queue);
    this.#lastConnection = "connections" in scenario.end ? scenario.end.connections : Infinity;
    if (arrivals.kind === "closed") {
      for (let owner = 0; owner < arrivals.clients; owner++) {
        this.#think.push(createSampler(arrivals.think, stream("client", owner)));
      }
    } else {
      this.#arrivals = createArrivals(arrivals, stream("arrivals"));
      this.#trace = arrivals.kind === "trace" ? arrivals.entries : undefined;
    }
  }

  /** How many there are in a closed loop; 0 if they come from outside. */
  get inLoop(): number {
    return this.#think.length;
  }

  /** Nobody comes any more. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** From here on clients come. */
  start(): void {
    this.#scheduleArrival();
    this.#think.forEach((_, owner) => this.#comesAgain(owner, 0));
  }

  /** From here on nobody new comes, and nobody sends another request. */
  leave(): void {
    this.#leaving = true;
  }

  /** The next client connects. */
  arrive(now: Nanoseconds): void {
    if (this.#leaving) return;
    this.#scheduleArrival();
    const connection = this.#world.connections.take(0);
    const entry = this.#trace?.[this.#arrived];
    this.#arrived++;
    const drawn = this.population.next();
    connection.client = entry?.client === undefined ? drawn : this.population.indexOf(entry.client);
    connection.owner = NO_OWNER;
    this.#offersFirst(connection, now, entry?.work);
    this.#connects(connection, now);
  }

  /** A client of the closed loop has thought, or one that was let down tries again. */
  begin(connection: Connection, now: Nanoseconds): void {
    connection.pending = 0;
    if (!connection.is(WAITED_FOR)) {
      if (this.#leaving) {
        this.#world.connections.free(connection);
        return;
      }
      this.#offersFirst(connection, now, undefined);
    }
    this.#connects(connection, now);
  }

  /** A client has thought, and sends another request on its connection. */
  nextRequest(connection: Connection, now: Nanoseconds): void {
    connection.pending = 0;
    const broken = connection.is(BROKEN);
    if (this.#leaving) {
      if (broken) this.#world.settle(connection);
      else this.#closes(connection, now);
      return;
    }
    this.#offers(connection, now, undefined);
    if (broken) {
      this.#connects(this.takeOver(connection), now);
      this.#world.settle(connection);
      return;
    }
    connection.flags &= ~(ANSWERED | RELAYED);
    this.#waits(connection, now);
    this.#world.relay.forward(connection, now);
  }

  /** The answer, good or bad, has come. */
  answered(connection: Connection, now: Nanoseconds): void {
    const { recorder, warmup } = this.#world;
    connection.pending = 0;
    if (!connection.is(WAITED_FOR)) {
      this.#world.settle(connection);
      return;
    }
    if (connection.answer !== OK) {
      this.fails(connection, connection.answer === ERROR ? "failed" : "refused", now);
      return;
    }
    this.#waitsNoMore(connection);
    recorder.completions++;
    const { startedAt, queued, waited, backend } = connection;
    if (startedAt >= warmup) {
      backend.done++;
      recorder.requestDone(now - startedAt, queued + waited);
    }
    connection.queued = 0;
    connection.requestsLeft--;
    if (connection.requestsLeft > 0 && !this.#leaving) {
      const think = Math.round(this.#thinkTime.next());
      connection.pending = this.#world.queue.push(now + think, NEXT_REQUEST, connection.number);
      return;
    }
    this.#thinks(connection, now);
    this.#closes(connection, now);
  }

  /** The present attempt has come to nothing: the client tries again, or that was that. */
  fails(connection: Connection, outcome: Exclude<Outcome, "done">, now: Nanoseconds): void {
    const { recorder, warmup, queue } = this.#world;
    const { retries } = this.#workload;
    const { startedAt, picked, attempt } = connection;
    const measured = startedAt >= warmup;
    if (measured && outcome !== "refused" && picked !== undefined) picked.failed++;
    if (attempt > retries.max) {
      this.#waitsNoMore(connection);
      if (measured) recorder.requests[outcome]++;
      this.#thinks(connection, now);
    } else {
      if (measured) recorder.requests.retried++;
      const again = this.takeOver(connection);
      again.attempt = attempt + 1;
      const pause = retries.backoff * power(retries.multiplier, attempt - 1) *
        (1 + retries.jitter * (2 * this.#backoff.next() - 1));
      const at = Math.min(now + Math.round(pause), Number.MAX_SAFE_INTEGER);
      again.pending = queue.push(at, BEGIN, again.number);
    }
    if (outcome !== "timedOut") this.#closes(connection, now);
  }

  /** A connection that carries on with the request of another, whose client goes on to it. */
  takeOver(connection: Connection): Connection {
    const { startedAt, work, request, client, owner, requestsLeft, attempt } = connection;
    this.#waitsNoMore(connection);
    const heir = this.#world.connections.take(WAITED_FOR);
    connection.owner = NO_OWNER;
    return Object.assign(heir, { startedAt, work, request, client, owner, requestsLeft, attempt });
  }

  /** Those who have waited too long give up. */
  deadline(now: Nanoseconds): void {
    this.#deadlines.pass(now, (connection) => this.#losesPatience(connection, now));
  }

  #scheduleArrival(): void {
    if (this.#arrivals === undefined) return;
    const at = this.#arrivals.next();
    if (at !== Infinity) this.#world.queue.push(at, ARRIVAL, 0);
  }

  /** The first request of a new connection. */
  #offersFirst(connection: Connection, now: Nanoseconds, work: number | undefined): void {
    const { recorder, warmup } = this.#world;
    const { owner } = connection;
    if (owner !== NO_OWNER) connection.client = this.population.indexOf(owner);
    connection.requestsLeft = this.#requestsPerConnection === undefined
      ? 1
      : Math.max(1, Math.round(this.#requestsPerConnection.next()));
    this.#offers(connection, now, work);
    if (now < warmup) return;
    recorder.connections++;
    if (recorder.connections >= this.#lastConnection) this.#leaving = true;
  }

  #offers(connection: Connection, now: Nanoseconds, work: number | undefined): void {
    const { recorder, warmup } = this.#world;
    connection.flags |= WAITED_FOR;
    connection.startedAt = now;
    connection.attempt = 1;
    connection.request = ++this.#requests;
    const drawn = this.#jobs.next();
    connection.work = work ?? drawn;
    if (now >= warmup) recorder.requests.offered++;
  }

  #connects(connection: Connection, now: Nanoseconds): void {
    const { links, balancers, queue } = this.#world;
    const chosen = balancers.length === 1 ? 0 : Math.floor(this.#lots.next() * balancers.length);
    connection.balancer = balancers[chosen]!;
    this.#waits(connection, now);
    if (links.client.instant) {
      this.#world.relay.reached(connection, now);
      return;
    }
    const handshake = links.client.delay() + links.client.delay() + links.client.delay();
    connection.pending = queue.push(now + handshake, REACH_BALANCER, connection.number);
  }

  #waits(connection: Connection, now: Nanoseconds): void {
    connection.wait++;
    this.#deadlines.set(connection, now);
  }

  #waitsNoMore(connection: Connection): void {
    assert(connection.is(WAITED_FOR), "a request ends once");
    connection.flags &= ~WAITED_FOR;
    connection.wait++;
  }

  #losesPatience(connection: Connection, now: Nanoseconds): void {
    const { links, queue } = this.#world;
    this.fails(connection, "timedOut", now);
    if (links.client.instant) {
      this.#world.relay.clientGone(connection, now);
      return;
    }
    connection.clientAbort = queue.push(
      now + links.client.delay(),
      ABORT_AT_BALANCER,
      connection.number,
    );
  }

  #closes(connection: Connection, now: Nanoseconds): void {
    const { links, queue } = this.#world;
    if (!connection.is(LEASED)) {
      this.#world.settle(connection);
    } else if (links.client.instant) {
      this.#world.relay.closed(connection, now);
    } else {
      connection.pending = queue.push(now + links.client.delay(), CLOSE, connection.number);
    }
  }

  /** A client of the closed loop thinks, then comes again. */
  #thinks(connection: Connection, now: Nanoseconds): void {
    const { owner } = connection;
    connection.owner = NO_OWNER;
    if (owner !== NO_OWNER && !this.#leaving) this.#comesAgain(owner, now);
  }

  #comesAgain(owner: number, now: Nanoseconds): void {
    const { connections, queue } = this.#world;
    const connection = connections.take(0);
    connection.owner = owner;
    const think = Math.round(this.#think[owner]!.next());
    connection.pending = queue.push(now + think, BEGIN, connection.number);
  }
}
