/** Whether connections last long compared with the runs. */
import { NS_PER_S } from "../../lib/base/mod.ts";
import { percent, plain } from "../../lib/report/format.ts";
import type { Scenario } from "../../lib/scenario/types.ts";
import { meanCount, meanOf } from "../../lib/stats/mod.ts";
import type { Measured } from "../measure/mod.ts";

/** There is no warning if the share of missing requests is smaller than this. */
const MISSING_MAX = 0.05;

/**
 * A run begins without connections. Until the first of them have ended, fewer connections are open than in the long
 * run, so clients send fewer requests: at time t, about t / L of the later number, where L is the duration of a
 * connection. There is no warning for a closed loop, where all clients are present from the start, and none for a
 * trace, because the trace itself is the subject of the study.
 */
export function longConnectionLines(
  { workload, service }: Scenario,
  { results }: Measured,
): string[] {
  const { arrivals, requestsPerConnection, thinkTime } = workload;
  if (arrivals.kind === "closed" || arrivals.kind === "trace") return [];
  const requests = meanCount(requestsPerConnection);
  const length = requests * meanOf(service) + (requests - 1) * meanOf(thinkTime);
  const { from, to } = results[0]!.window;
  const end = Math.min(length, to);
  // The integral of 1 − t / L over the window, as far as that is positive.
  const missing = end <= from
    ? 0
    : ((end - from) - (end * end - from * from) / (2 * length)) / (to - from);
  if (missing < MISSING_MAX) return [];
  const longer = length > to
    ? `longer than the run (${plain(to / NS_PER_S)} s)`
    : `long compared with the run (${plain(to / NS_PER_S)} s)`;
  return [
    `a connection lasts about ${
      plain(length / NS_PER_S)
    } s, which is ${longer}. A run begins without ` +
    `connections, so clients send only about ${percent(1 - missing)} of the requests that they ` +
    `would send in a long run, and the load is lower than stated. Set warmup to ${
      plain(length / NS_PER_S)
    } s or more, and a ` +
    "longer duration",
  ];
}
