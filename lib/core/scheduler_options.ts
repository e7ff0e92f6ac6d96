import type { AdmissionRules } from "./admission/mod.ts";
import type { AlgorithmOptions } from "./algorithms/mod.ts";
import type { BackendOptions, EjectionRules, HealthRules, SlowStartRules } from "./backend/mod.ts";
import type { Prefix } from "../base/mod.ts";
import type { StickyRules } from "./sessions/mod.ts";
import type { QueueRules } from "./waiting.ts";

/** Everything that the operator decides. */
export interface SchedulerOptions {
  readonly algorithm: AlgorithmOptions;
  readonly backends: readonly BackendOptions[];
  /** `type: none` probes nothing: every backend counts as up. */
  readonly healthCheck: HealthRules & { readonly type: string };
  /** Left out: clients do not stick. */
  readonly sticky?: StickyRules | undefined;
  /** How many further backends a connection may try when a connect fails. */
  readonly retries: number;
  readonly limits: {
    /** Connections at once, over all backends. */
    readonly connections: number;
    readonly perClient?: AdmissionRules["perClient"];
  };
  /** Only clients from here may come in; everybody if left out. */
  readonly allow?: readonly Prefix[] | undefined;
  /** Clients from here may not. */
  readonly deny?: readonly Prefix[] | undefined;
  /** Failed connects keep a backend out for a while. Left out: they do not. */
  readonly ejection?: EjectionRules | undefined;
  /** A backend that has recovered is not flooded. Left out: it gets its full share at once. */
  readonly slowStart?: SlowStartRules | undefined;
  /**
   * What becomes of a client when no backend is active: `refuse` it (if left out), or `try-anyway` any
   * that the operator has not disabled.
   */
  readonly whenNoneAvailable?: "refuse" | "try-anyway" | undefined;
  /** Where clients wait while every backend is full. Left out: they are refused. */
  readonly queue?: QueueRules | undefined;
  /** Of so many connections one pick is explained, if anybody reads that; 1 if left out. */
  readonly explainEvery?: number | undefined;
}
