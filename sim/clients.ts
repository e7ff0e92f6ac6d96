import { assert, childSeed, createRandom, type Nanoseconds, type Random } from "../lib/core/mod.ts";
import type { TraceEntry, Workload } from "../lib/scenario/types.ts";
import { power } from "../lib/stats/elementary.ts";
import { createSampler, type Sampler } from "../lib/stats/variates.ts";
import { type ArrivalProcess, createArrivals } from "./arrivals.ts";
import { ABORTING, ANSWERED, BROKEN, ERROR, LEASED, OK, WAITED_FOR } from "./connections.ts";
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
/** None was picked yet. */
const NO_BACKEND = -1;

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
  readonly #isOver: (c: number, wait: number) => boolean;
  readonly #missed: (c: number) => void;
  #arrived = 0;
  #requests = 0;
  #leaving = false;
  #now: Nanoseconds = 0;

  constructor(world: World) {
    const { scenario, seed, connections } = world;
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
    this.#isOver = (c, wait) => connections.wait[c] !== wait;
    this.#missed = (c) => this.#losesPatience(c, this.#now);
    if (arrivals.kind === "closed") {
      for (let owner = 0; owner < arrivals.clients; owner++) {
        this.#think.push(createSampler(arrivals.think, stream("client", owner)));
      }
    } else {
      this.#arrivals = createArrivals(arrivals, stream("arrivals"));
      this.#trace = arrivals.kind === "trace" ? arrivals.entries : undefined;
    }
  }

  /** Nobody comes any more. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** From here on clients come. */
  start(): void {
    this.#scheduleArrival();
    this.#think.forEach((_, owner) => this.#thinks(owner, 0));
  }

  /** From here on nobody new comes, and nobody sends another request. */
  leave(): void {
    this.#leaving = true;
  }

  /** The next client connects. */
  arrive(now: Nanoseconds): void {
    if (this.#leaving) return;
    this.#scheduleArrival();
    const { connections } = this.#world;
    const c = connections.take(0);
    const entry = this.#trace?.[this.#arrived];
    this.#arrived++;
    const drawn = this.population.next();
    connections.client[c] = entry?.client === undefined
      ? drawn
      : this.population.indexOf(entry.client);
    connections.owner[c] = NO_OWNER;
    this.#offersFirst(c, now, entry?.work);
    this.#connects(c, now);
  }

  /** A client of the closed loop has thought, or one that was let down tries again. */
  begin(c: number, now: Nanoseconds): void {
    const { connections } = this.#world;
    connections.pending[c] = 0;
    if ((connections.flags[c]! & WAITED_FOR) === 0) {
      if (this.#leaving) {
        connections.free(c);
        return;
      }
      this.#offersFirst(c, now, undefined);
    }
    this.#connects(c, now);
  }

  /** A client has thought, and sends another request on its connection. */
  nextRequest(c: number, now: Nanoseconds): void {
    const { connections } = this.#world;
    const { flags } = connections;
    connections.pending[c] = 0;
    const broken = (flags[c]! & BROKEN) !== 0;
    if (this.#leaving) {
      if (broken) this.#world.settle(c);
      else this.#closes(c, now);
      return;
    }
    flags[c] = flags[c]! & ~(BROKEN | ANSWERED);
    this.#offers(c, now, undefined);
    if (broken) {
      this.#connects(this.#afresh(c), now);
      return;
    }
    this.#waits(c, now);
    this.#world.relay.forward(c, now);
  }

  /** The answer, good or bad, has come. */
  answered(c: number, now: Nanoseconds): void {
    const { connections, recorder, warmup } = this.#world;
    const { flags, answer, startedAt } = connections;
    connections.pending[c] = 0;
    if ((flags[c]! & WAITED_FOR) === 0) {
      this.#world.settle(c);
      return;
    }
    // The client's own network is in it, too: that is the same for all backends.
    connections.lease[c]?.answered(now);
    if (answer[c] !== OK) {
      this.fails(c, answer[c] === ERROR ? "failed" : "refused", now);
      return;
    }
    this.#waitsNoMore(c);
    recorder.completions++;
    const started = startedAt[c]!;
    if (started >= warmup) {
      const waited = connections.queued[c]! + connections.waited[c]!;
      recorder.requestDone(connections.backend[c]!, now - started, waited);
    }
    connections.queued[c] = 0;
    const left = connections.requestsLeft[c]! - 1;
    connections.requestsLeft[c] = left;
    if (left > 0 && !this.#leaving) {
      const think = Math.round(this.#thinkTime.next());
      connections.pending[c] = this.#world.queue.push(now + think, NEXT_REQUEST, c);
      return;
    }
    this.#thinks(connections.owner[c]!, now);
    this.#closes(c, now);
  }

  /** The present attempt has come to nothing: the client tries again, or that was that. */
  fails(c: number, outcome: Exclude<Outcome, "done">, now: Nanoseconds): void {
    const { connections, recorder, warmup, queue } = this.#world;
    const { retries } = this.#workload;
    this.#waitsNoMore(c);
    const measured = connections.startedAt[c]! >= warmup;
    const backend = connections.backend[c]!;
    if (measured && outcome !== "refused" && backend !== NO_BACKEND) {
      recorder.failed[backend] = recorder.failed[backend]! + 1;
    }
    const attempt = connections.attempt[c]!;
    if (attempt > retries.max) {
      if (measured) recorder.requests[outcome]++;
      this.#thinks(connections.owner[c]!, now);
    } else {
      if (measured) recorder.requests.retried++;
      const again = this.takeOver(c);
      connections.attempt[again] = attempt + 1;
      const pause = retries.backoff * power(retries.multiplier, attempt - 1) *
        (1 + retries.jitter * (2 * this.#backoff.next() - 1));
      connections.pending[again] = queue.push(now + Math.round(pause), BEGIN, again);
    }
    if (outcome !== "timedOut") this.#closes(c, now);
  }

  /** A connection that carries on with the request of another, whose client has left it. */
  takeOver(c: number): number {
    const { connections } = this.#world;
    const heir = connections.take(WAITED_FOR);
    const { startedAt, work, request, client, owner, requestsLeft, attempt } = connections;
    for (const column of [startedAt, work, request, client, owner, requestsLeft, attempt]) {
      column[heir] = column[c]!;
    }
    return heir;
  }

  /** The connection on which a client goes on whose last one broke: another, if that is still known. */
  #afresh(c: number): number {
    const { connections } = this.#world;
    if ((connections.flags[c]! & ABORTING) === 0) return c;
    const heir = this.takeOver(c);
    this.#waitsNoMore(c);
    return heir;
  }

  /** A connection's client has gone on to another one. */
  isLeft(c: number): void {
    this.#waitsNoMore(c);
  }

  /** Those who have waited too long give up. */
  deadline(now: Nanoseconds): void {
    this.#now = now;
    this.#deadlines.pass(now, this.#isOver, this.#missed);
  }

  #scheduleArrival(): void {
    if (this.#arrivals === undefined) return;
    const at = this.#arrivals.next();
    if (at !== Infinity) this.#world.queue.push(at, ARRIVAL, 0);
  }

  /** The first request of a new connection. */
  #offersFirst(c: number, now: Nanoseconds, work: number | undefined): void {
    const { connections, recorder, warmup } = this.#world;
    const owner = connections.owner[c]!;
    if (owner !== NO_OWNER) connections.client[c] = this.population.indexOf(owner);
    connections.requestsLeft[c] = this.#requestsPerConnection === undefined
      ? 1
      : Math.max(1, Math.round(this.#requestsPerConnection.next()));
    this.#offers(c, now, work);
    if (now < warmup) return;
    recorder.connections++;
    if (recorder.connections >= this.#lastConnection) this.#leaving = true;
  }

  #offers(c: number, now: Nanoseconds, work: number | undefined): void {
    const { connections, recorder, warmup } = this.#world;
    const { flags } = connections;
    flags[c] = flags[c]! | WAITED_FOR;
    connections.startedAt[c] = now;
    connections.attempt[c] = 1;
    connections.request[c] = ++this.#requests;
    const drawn = this.#jobs.next();
    connections.work[c] = work ?? drawn;
    if (now >= warmup) recorder.requests.offered++;
  }

  #connects(c: number, now: Nanoseconds): void {
    const { connections, links, balancers, queue } = this.#world;
    connections.balancer[c] = balancers.length === 1
      ? 0
      : Math.floor(this.#lots.next() * balancers.length);
    connections.backend[c] = NO_BACKEND;
    this.#waits(c, now);
    if (links.client.instant) {
      this.#world.relay.reached(c, now);
      return;
    }
    const handshake = links.client.delay() + links.client.delay() + links.client.delay();
    connections.pending[c] = queue.push(now + handshake, REACH_BALANCER, c);
  }

  #waits(c: number, now: Nanoseconds): void {
    const { wait } = this.#world.connections;
    wait[c] = wait[c]! + 1;
    this.#deadlines.set(c, wait[c]!, now);
  }

  #waitsNoMore(c: number): void {
    const { flags, wait } = this.#world.connections;
    assert((flags[c]! & WAITED_FOR) !== 0, "a request ends once");
    flags[c] = flags[c]! & ~WAITED_FOR;
    wait[c] = wait[c]! + 1;
  }

  #losesPatience(c: number, now: Nanoseconds): void {
    const { connections, links, queue } = this.#world;
    this.fails(c, "timedOut", now);
    if (links.client.instant) {
      this.#world.relay.clientGone(c, now);
      return;
    }
    connections.flags[c] = connections.flags[c]! | ABORTING;
    queue.push(now + links.client.delay(), ABORT_AT_BALANCER, c);
  }

  #closes(c: number, now: Nanoseconds): void {
    const { connections, links, queue } = this.#world;
    if ((connections.flags[c]! & LEASED) === 0) {
      this.#world.settle(c);
    } else if (links.client.instant) {
      this.#world.relay.closed(c, now);
    } else {
      connections.pending[c] = queue.push(now + links.client.delay(), CLOSE, c);
    }
  }

  /** A client of the closed loop thinks, then comes again. */
  #thinks(owner: number, now: Nanoseconds): void {
    if (owner === NO_OWNER || this.#leaving) return;
    const { connections, queue } = this.#world;
    const c = connections.take(0);
    connections.owner[c] = owner;
    const think = Math.round(this.#think[owner]!.next());
    connections.pending[c] = queue.push(now + think, BEGIN, c);
  }
}
