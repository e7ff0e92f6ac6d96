import { childSeed, createRandom, type Nanoseconds, type Random } from "../../lib/base/mod.ts";
import type { BackendModel } from "./backend_model.ts";
import type { BalancerModel } from "./balancer_model.ts";
import { IDLE_REPORT } from "../engine/mod.ts";
import type { World } from "./world.ts";

/**
 * Idle reports of backends: an idle backend reports to one balancer, drawn at random. It reports again only
 * after that balancer has sent it a request. A report that cannot arrive is lost; the backend reports again
 * when it is next idle.
 *
 * Source: Y. Lu et al., "Join-Idle-Queue", Performance Evaluation 68(11), 2011: JIQ-Random.
 */
export class IdleReports {
  readonly #world: World;
  readonly #random: Random;
  /** The balancer that has the report of each backend, by backend index. */
  readonly #reportedTo: (BalancerModel | undefined)[] = [];

  constructor(world: World) {
    this.#world = world;
    this.#random = createRandom(childSeed(world.seed, "idle reports"));
  }

  /** At the start of a run, all backends are idle and report it. */
  start(): void {
    for (const backend of this.#world.backends) this.mayBeIdle(backend, 0);
  }

  /**
   * The configuration has changed: all idle backends report again, because a removed backend or a replaced algorithm
   * has lost its reports.
   */
  configurationChanged(now: Nanoseconds): void {
    this.#reportedTo.length = 0;
    for (const backend of this.#world.backends) this.mayBeIdle(backend, now);
  }

  /** A request of a balancer has arrived: if that balancer had the report, the report is used up. */
  requested(backend: BackendModel, by: BalancerModel): void {
    if (this.#reportedTo[backend.index] === by) this.#reportedTo[backend.index] = undefined;
  }

  /** A request has left the backend, or the backend has returned. */
  mayBeIdle(backend: BackendModel, now: Nanoseconds): void {
    if (backend.server.size > 0 || this.#reportedTo[backend.index] !== undefined) return;
    if (backend.down || backend.silent || backend.paused) return;
    const { balancers, network, queue } = this.#world;
    const balancer = balancers[Math.floor(this.#random.next() * balancers.length)]!;
    if (balancer.scheduler.backend(backend.id) === undefined) return;
    if (balancer.stops > 0 || balancer.cuts[backend.index]! > 0) return;
    this.#reportedTo[backend.index] = balancer;
    const report = balancer.index * this.#world.backends.length + backend.index;
    if (network.backend.instant) this.arrive(report, now);
    else queue.push(now + network.backend.delay(), IDLE_REPORT, report);
  }

  /** A report reaches its balancer. */
  arrive(report: number, now: Nanoseconds): void {
    const { backends, balancers } = this.#world;
    const backend = backends[report % backends.length]!;
    const balancer = balancers[Math.floor(report / backends.length)]!;
    balancer.scheduler.reportIdle(backend.id, now);
  }

  /** A balancer has restarted and lost its reports. */
  balancerRestarted(by: BalancerModel, now: Nanoseconds): void {
    for (const backend of this.#world.backends) {
      if (this.#reportedTo[backend.index] !== by) continue;
      this.#reportedTo[backend.index] = undefined;
      this.mayBeIdle(backend, now);
    }
  }
}
