import { NS_PER_S } from "../../lib/base/mod.ts";
import { workCapacity, workPerConnection } from "../../lib/scenario/load.ts";
import type { Arrivals, Scenario } from "../../lib/scenario/types.ts";
import { meanOf } from "../../lib/stats/mod.ts";
import { meanRate } from "../../lib/workload/mod.ts";

/**
 * The offered load: the work that clients bring, divided by the capacity of the backends that take clients, λ·E[S] /
 * Σ slots·speed. It is NaN for a closed loop, where the load is a result. If it is 1 or more, queues grow until the
 * end of the run.
 */
export function offeredLoad({ workload, service, servers, balancer, end }: Scenario): number {
  const arrivals = untilEnd(workload.arrivals, end);
  const work = workPerConnection(
    meanWork(arrivals, meanOf(service)),
    workload.requestsPerConnection,
  );
  return meanRate(arrivals) * work / NS_PER_S / workCapacity(balancer.backends, servers);
}

/** The part of a trace that the run plays. */
function untilEnd(arrivals: Arrivals, end: Scenario["end"]): Arrivals {
  if (arrivals.kind !== "trace") return arrivals;
  const { entries } = arrivals;
  return {
    ...arrivals,
    entries: "duration" in end ? entries.filter(({ at }) => at < end.duration) : entries,
  };
}

/** The mean work of a request. A trace may state the work of each of its requests. */
function meanWork(arrivals: Arrivals, drawn: number): number {
  if (arrivals.kind !== "trace") return drawn;
  const { entries } = arrivals;
  return entries.reduce((sum, { work }) => sum + (work ?? drawn), 0) / entries.length;
}
