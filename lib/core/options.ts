import type { AdmissionRules } from "./admission/mod.ts";
import type { AlgorithmOptions } from "./algorithms/mod.ts";
import type { BackendOptions, HealthRules, RecoveryRules } from "./backend/mod.ts";
import type { Prefix } from "../base/mod.ts";
import type { StickyRules } from "./sessions/mod.ts";
import type { QueueRules } from "./queue.ts";

/** Everything that the operator decides. */
export interface SchedulerOptions extends RecoveryRules {
  readonly algorithm: AlgorithmOptions;
  readonly backends: readonly BackendOptions[];
  /** `type: none` probes nothing: every backend counts as up. */
  readonly healthCheck: HealthRules & { readonly type: string };
  /** If left out, clients do not stick. */
  readonly sticky?: StickyRules | undefined;
  /** How many further backends a connection may try when a connect fails. */
  readonly retries: number;
  readonly limits: {
    /** The largest number of connections at the same time, over all backends. */
    readonly connections: number;
    readonly perClient?: AdmissionRules["perClient"];
  };
  /** Only clients from here are accepted; all if left out. */
  readonly allow?: readonly Prefix[] | undefined;
  /** Clients from here are refused. */
  readonly deny?: readonly Prefix[] | undefined;
  /**
   * What happens to a client when no backend is active. `refuse` is the default. `try-anyway`: it gets a backend that
   * is not in drain or maintenance.
   */
  readonly whenNoneAvailable?: "refuse" | "try-anyway" | undefined;
  /** The queue in which clients wait while every backend is full. If left out, they are refused. */
  readonly queue?: QueueRules | undefined;
  /** The picks of every n-th connection are explained, if these events have a reader; n is 1 if left out. */
  readonly explainEvery?: number | undefined;
}
