import type { Config, Wishes } from "../../lib/config/mod.ts";
import type { PickExplained, Scheduler } from "../../lib/core/mod.ts";
import type { FactsSource, Frame, Snapshot } from "../../lib/observe/mod.ts";

/** The balancer, as far as the admin API shows and changes it. */
export interface AdminSubject {
  readonly scheduler: Scheduler;
  /** In use: the file's, with the operator's wishes. */
  readonly config: Config;
  readonly fileConfig: Config;
  readonly wishes: Wishes;
  /** How the wishes differ from the file, one line each. */
  readonly wishedChanges: readonly string[];
  readonly isStopping: boolean;
  /** Why wishes cannot be taken over, in words; undefined if they can. */
  problemWith(wishes: Wishes): string | undefined;
  wish(wishes: Wishes): Promise<void>;
}

/** What observes it. */
export interface AdminMonitor {
  readonly monitor: FactsSource;
  snapshot(): Snapshot;
  frame(): Frame;
}

/** Where a client would go now, and why; throws a `UserError` if that cannot be said. */
export type ExplainClient = (
  client: string,
) => Omit<PickExplained, "at_ms" | "type" | "connection">;
