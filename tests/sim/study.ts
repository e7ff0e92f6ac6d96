import { parseStudy, type Study } from "../../lib/scenario/study.ts";
import type { ReplicationResult } from "../../sim/mod.ts";
import type { Executor } from "../../sim/study/executor.ts";
import { Replicator, type Task } from "../../sim/study/replicator.ts";

/** The study of a scenario's text. */
export function studyFrom(text: string, set: readonly string[] = []): Study {
  return parseStudy({ scenario: { file: "scenario.yaml", text }, files: {}, set });
}

/**
 * Runs tasks on this thread, as if it were several: tasks that begin together end in the reverse
 * order.
 */
export class LocalExecutor implements Executor {
  readonly width: number;
  readonly #replicator: Replicator;
  readonly tasks: Task[] = [];

  constructor(study: Study, width = 1) {
    this.width = width;
    this.#replicator = new Replicator(study);
  }

  async run(task: Task): Promise<ReplicationResult> {
    this.tasks.push(task);
    for (let i = this.tasks.length % this.width; i > 0; i--) await Promise.resolve();
    return this.#replicator.run(task);
  }
}
