import { childSeed, createRandom, type Nanoseconds, type Random } from "../../lib/base/mod.ts";
import { ProbeSchedule } from "../../lib/core/mod.ts";
import type { BackendModel } from "./backend_model.ts";
import type { BalancerModel } from "./balancer_model.ts";
import { AT_BACKEND, type Connection, PROBE } from "./connections.ts";
import { PROBE_CONNECT, PROBE_DUE, PROBE_REQUEST, PROBE_RESULT } from "../engine/mod.ts";
import type { Balancer } from "../../lib/scenario/types.ts";
import type { World } from "./world.ts";

const NONE = -1;

/** One balancer's probes of one backend. */
interface Probing {
  readonly balancer: BalancerModel;
  readonly backend: BackendModel;
  readonly random: Random;
  schedule: ProbeSchedule;
  /** Sequence number of the event that the probe waits for; an event with another number is out of date. */
  pending: number;
  beganAt: Nanoseconds;
  /** The connection of the probe's request, if it has one. */
  connection: Connection | undefined;
  ok: boolean;
  reason: string;
  /** Whether the first probe since the balancer's start has ended. */
  probed: boolean;
}

/**
 * Health probes, over the simulated network and through the backends' own queues.
 *
 * A `tcp` probe succeeds if the backend accepts a connect: it is alive and its queue is not full. An `expect` or
 * `http` probe then sends a request without work, which waits in the queue like any other. So an overloaded or paused
 * backend answers late or not at all. Without an answer in time, the probe has failed. A balancer listens when it has
 * probed every backend.
 */
export class Prober {
  readonly #world: World;
  readonly #probings: Probing[];
  /** The number of backends that each balancer has not probed since its start. */
  readonly #unprobed: number[];
  readonly #failDraws: Random;
  /**
   * Called when a balancer marks a backend as up or down. This costs less than an event, which lists all
   * backends that are up.
   */
  onChange:
    | ((balancer: BalancerModel, backend: BackendModel, up: boolean, now: Nanoseconds) => void)
    | undefined;

  constructor(world: World) {
    this.#world = world;
    const { healthCheck } = world.scenario.balancer;
    this.#failDraws = createRandom(childSeed(world.seed, "probe fate"));
    this.#unprobed = world.balancers.map(() => world.backends.length);
    this.#probings = world.balancers.flatMap((balancer) =>
      world.backends.map((backend) => newProbing(balancer, backend, world.seed, healthCheck))
    );
  }

  /** Another backend, which joins later. There must be one balancer only: its probings follow each other. */
  add(backend: BackendModel): void {
    const { balancers, seed, scenario } = this.#world;
    const { healthCheck } = scenario.balancer;
    for (const balancer of balancers) {
      this.#probings.push(newProbing(balancer, backend, seed, healthCheck));
    }
  }

  /** Starts the probes. All balancers have probed all backends before the run begins. */
  start(): void {
    for (const balancer of this.#world.balancers) balancer.listening = true;
    if (this.#off) return;
    this.#probings.forEach(({ schedule, backend, balancer }, p) => {
      if (balancer.scheduler.backend(backend.id) === undefined) {
        // This backend joins later.
        this.#unprobed[balancer.index]!--;
        return;
      }
      schedule.begin(0);
      if (this.#shouldProbe(p)) this.#conclude(p, backend.verdict === "accepted", "refused", 0);
      else this.#scheduleNext(p, 0);
    });
  }

  /** A balancer has stopped: it sends no probes. */
  stop(balancer: BalancerModel, now: Nanoseconds): void {
    balancer.listening = false;
    if (this.#off) return;
    for (let p = this.#firstOf(balancer); this.#probings[p]?.balancer === balancer; p++) {
      const probing = this.#probings[p]!;
      probing.pending = NONE;
      this.#abandon(probing, now);
    }
  }

  /** A balancer has started: it listens when it has probed all backends. */
  restart(balancer: BalancerModel, now: Nanoseconds): void {
    if (this.#off) {
      balancer.listening = true;
      return;
    }
    const { healthCheck } = this.#world.scenario.balancer;
    let absent = 0;
    for (let p = this.#firstOf(balancer); this.#probings[p]?.balancer === balancer; p++) {
      const probing = this.#probings[p]!;
      if (balancer.scheduler.backend(probing.backend.id) === undefined) {
        absent++;
        continue;
      }
      probing.probed = false;
      probing.schedule = new ProbeSchedule(healthCheck, probing.random, now);
      probing.pending = this.#world.queue.push(now, PROBE_DUE, p);
    }
    this.#unprobed[balancer.index] = this.#world.backends.length - absent;
  }

  /** The configuration has changed: added backends are probed at once, and removed ones are no longer probed. */
  change(before: Balancer, now: Nanoseconds): void {
    const { healthCheck } = this.#world.scenario.balancer;
    const isSame = JSON.stringify(before.healthCheck) === JSON.stringify(healthCheck);
    const had = new Set(before.backends.map(({ id }) => id));
    this.#probings.forEach((probing, p) => {
      const { balancer, backend } = probing;
      const isPresent = balancer.scheduler.backend(backend.id) !== undefined;
      if (isSame && isPresent === had.has(backend.id)) return;
      probing.pending = NONE;
      this.#abandon(probing, now);
      // A stopped balancer sends its probes when it starts again.
      if (balancer.stops > 0) return;
      const wasAwaited = !probing.probed && !balancer.listening;
      if (isPresent && !this.#off) {
        probing.schedule = new ProbeSchedule(healthCheck, probing.random, now);
        probing.pending = this.#world.queue.push(now, PROBE_DUE, p);
      } else if (wasAwaited) {
        probing.probed = true;
        if (--this.#unprobed[balancer.index]! === 0) balancer.listening = true;
      }
      if (isPresent && !had.has(backend.id)) probing.probed = true;
    });
  }

  /** Handles an event of a probe; an outdated event is ignored. */
  handle(kind: number, p: number, sequence: number, now: Nanoseconds): void {
    const probing = this.#probings[p]!;
    if (probing.pending !== sequence) return;
    switch (kind) {
      case PROBE_DUE:
        this.#begin(p, now);
        break;
      case PROBE_CONNECT:
        this.#connectReached(p, now);
        break;
      case PROBE_REQUEST:
        this.#requestReached(p, now);
        break;
      case PROBE_RESULT:
        this.#conclude(p, probing.ok, probing.reason, now);
        break;
    }
  }

  /** A backend has served a probe's request. */
  served(connection: Connection, now: Nanoseconds): void {
    const p = connection.owner;
    this.#world.connections.free(connection);
    if (p === NONE) return;
    const probing = this.#probings[p]!;
    probing.connection = undefined;
    const fails = this.#fails(probing.backend.probeFailRate);
    this.#reply(p, !fails, "an error as answer", now);
  }

  /** A backend has crashed while it had a probe's request. */
  lost(connection: Connection, now: Nanoseconds): void {
    const p = connection.owner;
    this.#world.connections.free(connection);
    if (p === NONE) return;
    this.#probings[p]!.connection = undefined;
    this.#reply(p, false, "reset", now);
  }

  get #off(): boolean {
    return this.#world.scenario.balancer.healthCheck.type === "none";
  }

  /** Index of a balancer's first probing. Its probings follow each other, one for each backend. */
  #firstOf({ index }: BalancerModel): number {
    return index * this.#world.backends.length;
  }

  /** Whether a probe is sent. Like the live balancer, it sends no probe to a backend in maintenance. */
  #shouldProbe(p: number): boolean {
    const { balancer, backend } = this.#probings[p]!;
    return balancer.scheduler.backend(backend.id)?.mode !== "maintenance";
  }

  #begin(p: number, now: Nanoseconds): void {
    const probing = this.#probings[p]!;
    probing.schedule.begin(now);
    probing.beganAt = now;
    if (!this.#shouldProbe(p)) {
      this.#scheduleNext(p, now);
    } else if (this.#isCut(probing)) {
      this.#awaitTimeout(p);
    } else if (this.#world.network.backend.instant) {
      this.#connectReached(p, now);
    } else {
      this.#schedule(p, PROBE_CONNECT, now + this.#world.network.backend.delay());
    }
  }

  #connectReached(p: number, now: Nanoseconds): void {
    const probing = this.#probings[p]!;
    const { backend } = probing;
    const verdict = this.#isCut(probing) ? "silent" : backend.verdict;
    const { type } = this.#world.scenario.balancer.healthCheck;
    const { backend: link } = this.#world.network;
    if (verdict === "silent") {
      this.#awaitTimeout(p);
    } else if (verdict === "accepted" && type !== "tcp") {
      if (link.instant) this.#requestReached(p, now);
      else this.#schedule(p, PROBE_REQUEST, now + link.delay() + link.delay());
    } else {
      this.#reply(p, verdict === "accepted" || backend.gray && !backend.down, "refused", now);
    }
  }

  #requestReached(p: number, now: Nanoseconds): void {
    const probing = this.#probings[p]!;
    const { backend } = probing;
    if (this.#isCut(probing)) {
      this.#awaitTimeout(p);
    } else if (backend.down) {
      this.#reply(p, false, "reset", now);
    } else if (backend.paused) {
      if (backend.server.hasRoom) this.#submit(p, now);
      else this.#awaitTimeout(p);
    } else if (backend.gray) {
      this.#reply(p, true, "", now);
    } else if (this.#fails(backend.fastErrorRate)) {
      this.#reply(p, false, "an error as answer", now);
    } else if (!backend.server.hasRoom) {
      this.#reply(p, false, "its queue is full", now);
    } else {
      this.#submit(p, now);
    }
  }

  #submit(p: number, now: Nanoseconds): void {
    const probing = this.#probings[p]!;
    const connection = this.#world.connections.take(PROBE | AT_BACKEND);
    connection.owner = p;
    connection.picked = probing.backend;
    connection.work = 0;
    connection.submittedAt = now;
    connection.origin = -1;
    connection.nth = p;
    probing.connection = connection;
    this.#awaitTimeout(p);
    probing.backend.server.submit(connection, now);
  }

  /** The backend replies. The result counts when the reply has arrived. */
  #reply(p: number, ok: boolean, reason: string, now: Nanoseconds): void {
    const probing = this.#probings[p]!;
    const { network } = this.#world;
    if (this.#isCut(probing)) {
      this.#awaitTimeout(p);
    } else if (network.backend.instant) {
      this.#conclude(p, ok, reason, now);
    } else {
      probing.ok = ok;
      probing.reason = reason;
      this.#schedule(p, PROBE_RESULT, now + network.backend.delay());
    }
  }

  /** No answer will come, or none has come yet: the probe fails when its timeout passes. */
  #awaitTimeout(p: number): void {
    const probing = this.#probings[p]!;
    probing.ok = false;
    probing.reason = "timeout";
    probing.pending = this.#world.queue.push(this.#deadline(probing), PROBE_RESULT, p);
  }

  #schedule(p: number, kind: number, at: Nanoseconds): void {
    const probing = this.#probings[p]!;
    if (at > this.#deadline(probing)) this.#awaitTimeout(p);
    else probing.pending = this.#world.queue.push(at, kind, p);
  }

  #conclude(p: number, ok: boolean, reason: string, now: Nanoseconds): void {
    const probing = this.#probings[p]!;
    const { balancer, backend } = probing;
    this.#abandon(probing, now);
    const { scheduler } = balancer;
    const before = scheduler.backend(backend.id)?.health.state;
    scheduler.probed(backend.id, ok, now, now - probing.beganAt, reason);
    const after = scheduler.backend(backend.id)?.health.state;
    if (after !== before) this.onChange?.(balancer, backend, after === "up", now);
    this.#scheduleNext(p, now);
  }

  /** A probe has ended or was skipped: schedules the next one. */
  #scheduleNext(p: number, now: Nanoseconds): void {
    const probing = this.#probings[p]!;
    const { balancer, schedule } = probing;
    schedule.end(now);
    probing.pending = this.#world.queue.push(schedule.dueAt!, PROBE_DUE, p);
    if (probing.probed) return;
    probing.probed = true;
    if (--this.#unprobed[balancer.index]! === 0) balancer.listening = true;
  }

  /** A probe has ended: its request at the backend no longer belongs to a probe. */
  #abandon(probing: Probing, now: Nanoseconds): void {
    const { connection, backend } = probing;
    if (connection === undefined) return;
    const { connections, service } = this.#world;
    probing.connection = undefined;
    connection.owner = NONE;
    if (!backend.dropsAbandoned) return;
    service.cancel(connection, now);
    connections.free(connection);
  }

  #deadline(probing: Probing): Nanoseconds {
    return probing.beganAt + this.#world.scenario.balancer.healthCheck.timeout;
  }

  #isCut({ balancer, backend }: Probing): boolean {
    return balancer.cuts[backend.index]! > 0;
  }

  #fails(rate: number): boolean {
    return rate > 0 && this.#failDraws.next() < rate;
  }
}

function newProbing(
  balancer: BalancerModel,
  backend: BackendModel,
  seed: number,
  healthCheck: Balancer["healthCheck"],
): Probing {
  const random = createRandom(childSeed(seed, "balancer", balancer.index, "probes", backend.index));
  return {
    balancer,
    backend,
    random,
    schedule: new ProbeSchedule(healthCheck, random, 0),
    pending: NONE,
    beganAt: 0,
    connection: undefined,
    ok: false,
    reason: "",
    probed: false,
  };
}
