import { NS_PER_S, takesClients } from "../lib/core/mod.ts";
import type { Scenario } from "../lib/scenario/types.ts";
import { meanOf } from "../lib/stats/variates.ts";
import { meanRate } from "./arrivals.ts";

/**
 * The work that clients bring, as a share of what the backends can do that clients are meant for: λ·E[S] / Σ slots·speed.
 * NaN for a closed loop, where it is an outcome. From 1 on, queues grow as long as the run lasts.
 */
export function offeredLoad({ workload, service, servers, balancer }: Scenario): number {
  const requests = meanRate(workload.arrivals) * meanOf(workload.requestsPerConnection);
  const capacity = servers.reduce(
    (sum, { slots, speed }, i) => sum + (takesClients(balancer.backends[i]!) ? slots * speed : 0),
    0,
  );
  return requests * meanOf(service) / NS_PER_S / capacity;
}
