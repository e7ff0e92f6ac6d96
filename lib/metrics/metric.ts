import { NS_PER_MS } from "../base/mod.ts";
import type { BackendResult, FaultResult, ReplicationResult } from "./result.ts";

/** The unit of a metric. */
export type Unit = "ms" | "share" | "count" | "per_s" | "ratio";

/** The histogram of a run from which a time is read. */
export type Quantity = "sojourn" | "wait" | "failover";

type Read<T> = (from: T) => number;

/**
 * How a metric is computed from the runs of a variant:
 * - `quantile`: of the observations of all runs together. Requests without an answer count as larger than
 *   every observation, unless `answered` leaves them out.
 * - `mean`: the mean of the observations of all runs together. Without `answered` it is unknown if too
 *   many requests have no answer.
 * - `ratio`: one count over another, each summed over all runs.
 * - `run`: each run has one value; the metric is the mean of these values.
 * - `occurrence`: each run has one value: a time until something happened, like a detection. It is NaN if there
 *   was nothing to measure, and Infinity if it did not happen. The metric is the mean of the finite values; an
 *   expectation is compared with the largest value.
 * - `max`: the largest value of all runs. It has no interval, because it grows with the length of a run.
 */
export type Definition =
  | {
    readonly kind: "quantile";
    readonly of: Quantity;
    readonly q: number;
    readonly answered: boolean;
  }
  | { readonly kind: "mean"; readonly of: Quantity; readonly answered: boolean }
  | {
    readonly kind: "ratio";
    readonly count: Read<ReplicationResult>;
    readonly per: Read<ReplicationResult>;
  }
  | { readonly kind: "run" | "occurrence" | "max"; readonly read: Read<ReplicationResult> };

/** A column of the main table, or of a table of backends. */
export interface Column {
  readonly title: string;
  /** Columns are shown in ascending order of place. */
  readonly place: number;
  /** When there is no room for all columns, those of the lowest rank are left out first. */
  readonly rank: number;
  /** Whether the interval is shown beside the value. */
  readonly interval?: boolean;
}

/**
 * One metric, with all data about it that the program needs. It is read from a run (`run`), from a backend of a run
 * (`backend`), or from the faults of a run or of one backend (`fault`).
 */
export interface Metric {
  readonly unit: Unit;
  /** Which of two values is better; absent if neither is. */
  readonly better?: "lower" | "higher";
  readonly meaning: string;
  readonly run?: Definition;
  readonly backend?: Read<BackendResult>;
  readonly fault?: Read<FaultResult>;
  /** Its place in a variant's report, like `sojourn_ms.p99`; if left out, its name. */
  readonly path?: string;
  /** Whether a variant's report also has the sum over all runs, under the metric's name. */
  readonly total?: boolean;
  /** Absent if no table shows it. */
  readonly column?: Column;
  /** Whether the CSV has no column for it. */
  readonly notInCsv?: boolean;
  /** Whether every pair of variants is compared by it. */
  readonly paired?: boolean;
  /** A smaller difference than this has no practical meaning. For a share it is absolute, for a time relative. */
  readonly negligible?: number;
}

/** Requests of a run that were not answered: they failed, were refused, timed out or never ended. */
export function unanswered({ requests }: ReplicationResult): number {
  return requests.offered - requests.done;
}

/** A percentile. Failovers have no unanswered requests: they are counted when they have succeeded. */
export function quantile(of: Quantity, q: number): Definition {
  return { kind: "quantile", of, q, answered: of === "failover" };
}

/** A percentile of the answered requests only. */
export function answeredQuantile(q: number): Definition {
  return { kind: "quantile", of: "sojourn", q, answered: true };
}

/** A value that each run has. */
export function ofRun(read: Read<ReplicationResult>): Definition {
  return { kind: "run", read };
}

/** A count of requests that each run has. */
export function ofRequests(read: Read<ReplicationResult["requests"]>): Definition {
  return ofRun(({ requests }) => read(requests));
}

/** The longest time of all runs. */
export function longest(of: "sojourn" | "wait", answered: boolean): Definition {
  return {
    kind: "max",
    read(result) {
      if (!answered && unanswered(result) > 0) return Infinity;
      const { count, max } = result[of];
      return count === 0 ? NaN : max / NS_PER_MS;
    },
  };
}

/**
 * How a metric of a whole run, or of one backend, is computed.
 *
 * @param backend The id of the backend; undefined for a whole run.
 * @throws {RangeError} if a whole run (or, with `backend`, a backend) does not have this metric.
 */
export function definitionFor(
  name: string,
  { run, backend: ofBackend, fault: ofFault }: Metric,
  backend?: string,
): Definition {
  if (ofFault !== undefined) {
    return {
      kind: "occurrence",
      read: ({ faults }) =>
        worst(
          faults.filter((fault) => backend === undefined || fault.backend === backend).map(ofFault),
        ),
    };
  }
  if (backend === undefined) {
    if (run === undefined) throw new RangeError(`${name} is a metric of a backend`);
    return run;
  }
  if (ofBackend === undefined) throw new RangeError(`${name} is not a metric of a backend`);
  return ofRun((result) => {
    const found = backendOf(result, backend);
    return found === undefined ? NaN : ofBackend(found);
  });
}

const indexes = new WeakMap<ReplicationResult, ReadonlyMap<string, BackendResult>>();

/** A run's backend by its id. The index is kept, because there may be thousands of backends to find. */
function backendOf(result: ReplicationResult, id: string): BackendResult | undefined {
  let index = indexes.get(result);
  if (index === undefined) {
    index = new Map(result.backends.map((backend) => [backend.id, backend]));
    indexes.set(result, index);
  }
  return index.get(id);
}

/** The time until the last balancer considered the backend down; Infinity if one never did. */
export function detectionMs({ detection }: FaultResult): number {
  return worst(detection.map((time) => time === null ? Infinity : time / NS_PER_MS));
}

/** The time until the last balancer considered the backend up; NaN if the fault never ended, or was not detected. */
export function failbackMs({ until, detection, failback }: FaultResult): number {
  if (until === undefined) return NaN;
  return worst(failback.map((time, balancer) => {
    if (detection[balancer] === null) return NaN;
    return time === null ? Infinity : time / NS_PER_MS;
  }));
}

/** The largest of the values that are not NaN; NaN if there is none. */
export function worst(values: readonly number[]): number {
  const measured = values.filter((value) => !Number.isNaN(value));
  return measured.length === 0 ? NaN : Math.max(...measured);
}
