import type { Scenario } from "../../lib/scenario/types.ts";
import { replicationSeed } from "../../lib/workload/mod.ts";
import { type ReadyScenario, withWarmups } from "./replications.ts";
import type { ReplicationResult } from "../../lib/metrics/mod.ts";
import { Simulation } from "./simulate.ts";

/** One run: a variant of a study, by its index, and the number of the replication, from 0. */
export interface Task {
  readonly variant: number;
  readonly replication: number;
}

/** The part of a study that its tasks need: plain data, which can be sent to another thread. */
export interface Runnable {
  readonly seed: number;
  readonly variants: readonly { readonly scenario: Scenario }[];
}

/** Runs single tasks of a study. A task's result depends only on the study and the task. */
export class Replicator {
  readonly #study: Runnable;
  #ready: readonly ReadyScenario[] | undefined;

  /** @param ready The scenarios with their warm-ups, if they are known already. */
  constructor(study: Runnable, ready?: readonly ReadyScenario[]) {
    this.#study = study;
    this.#ready = ready;
  }

  /** Runs a task. */
  run(task: Task): ReplicationResult {
    return this.simulation(task).run();
  }

  /** The run of a task, before its first event. The first replication of a variant also records its time series. */
  simulation({ variant, replication }: Task): Simulation {
    const { seed } = this.#study;
    return new Simulation(this.#scenario(variant), replicationSeed(seed, replication), {
      series: replication === 0,
    });
  }

  #scenario(variant: number): ReadyScenario {
    const { variants, seed } = this.#study;
    this.#ready ??= withWarmups(variants.map(({ scenario }) => scenario), seed);
    return this.#ready[variant]!;
  }
}
