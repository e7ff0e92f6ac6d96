import { detectionMs, failbackMs, type ReplicationResult } from "../../lib/metrics/mod.ts";
import type { FaultMedians } from "../../lib/report/mod.ts";

/**
 * The medians of each fault's times over the runs in which it was detected, by variant and fault. They are shown
 * where a mean has no meaning. They are not part of the result.
 */
export function faultMedians(
  results: readonly (readonly ReplicationResult[])[],
): FaultMedians[][] {
  return results.map((runs) =>
    runs[0]!.faults.map((_, i) => {
      const faults = runs.map(({ faults }) => faults[i]!);
      return {
        detection_ms: median(faults.map(detectionMs)),
        failback_ms: median(faults.map(failbackMs)),
      };
    })
  );
}

/** The median of the values that are numbers; null if there are none. */
function median(values: readonly number[]): number | null {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
