import { NS_PER_S } from "../../lib/base/mod.ts";
import { workCapacity, workPerConnection } from "../../lib/scenario/load.ts";
import type { Arrivals, Scenario } from "../../lib/scenario/types.ts";
import { meanOf } from "../../lib/stats/mod.ts";
import { meanRate } from "./arrivals.ts";

/**
 * The work that clients bring, as a share of what the backends can do that clients are meant for: λ·E[S] / Σ slots·speed.
 * NaN for a closed loop, where it is an outcome. From 1 on, queues grow as long as the run lasts.
 */
export function offeredLoad({ workload, service, servers, balancer, end }: Scenario): number {
  const arrivals = untilEnd(workload.arrivals, end);
  const work = workPerConnection(
    meanWork(arrivals, meanOf(service)),
    workload.requestsPerConnection,
  );
  return meanRate(arrivals) * work / NS_PER_S / workCapacity(balancer.backends, servers);
}

/** Of a trace, what is played. */
function untilEnd(arrivals: Arrivals, end: Scenario["end"]): Arrivals {
  if (arrivals.kind !== "trace") return arrivals;
  const { entries } = arrivals;
  return {
    ...arrivals,
    entries: "duration" in end ? entries.filter(({ at }) => at < end.duration) : entries,
  };
}

/** The mean work of a request: a trace may say what each of its own is. */
function meanWork(arrivals: Arrivals, drawn: number): number {
  if (arrivals.kind !== "trace") return drawn;
  const { entries } = arrivals;
  return entries.reduce((sum, { work }) => sum + (work ?? drawn), 0) / entries.length;
}
