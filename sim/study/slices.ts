import { type Nanoseconds, NS_PER_S } from "../../lib/base/mod.ts";
import type { Scenario } from "../../lib/scenario/types.ts";
import { SLICES } from "../measure/mod.ts";
import { meanRate } from "../../lib/workload/mod.ts";

/** The initial length of a slice of the time series. */
export function sliceOf({ end, workload }: Scenario): Nanoseconds {
  if ("duration" in end) return Math.max(1, Math.round(end.duration / SLICES));
  const rate = meanRate(workload.arrivals);
  if (Number.isNaN(rate)) return NS_PER_S / 100;
  return Math.max(1, Math.round(end.connections * NS_PER_S / rate / SLICES));
}
