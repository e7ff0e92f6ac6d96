import type { Config, Wishes } from "../../lib/config/mod.ts";
import type { PickExplained, Scheduler } from "../../lib/core/mod.ts";
import type { FactsSource, Frame, Snapshot } from "../../lib/observe/mod.ts";

/** The parts of a balancer that the admin API shows and changes. */
export interface AdminSubject {
  readonly scheduler: Scheduler;
  /** The configuration in use: that of the file, with the operator's wishes. */
  readonly config: Config;
  readonly fileConfig: Config;
  readonly wishes: Wishes;
  /** How the wishes differ from the file, one line each. */
  readonly wishedChanges: readonly string[];
  readonly isStopping: boolean;
  /** Why these wishes cannot be applied, in words; undefined if they can. */
  problemWith(wishes: Wishes): string | undefined;
  wish(wishes: Wishes): Promise<void>;
}

/** The balancer's monitor, and its present report. */
export interface AdminMonitor {
  readonly monitor: FactsSource;
  snapshot(): Snapshot;
  frame(): Frame;
}

/** The backend that a client would get now, and why. Throws a `UserError` if this cannot be computed. */
export type ExplainClient = (
  client: string,
) => Omit<PickExplained, "at_ms" | "type" | "connection">;
