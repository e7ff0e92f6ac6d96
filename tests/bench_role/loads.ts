import { NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import { monotonicNow } from "../../lib/io/mod.ts";
import { BackendNames, linePayload, RunClock, Tally } from "../../bench/mod.ts";
import type { Workload } from "../../lib/scenario/types.ts";

/** A workload with single requests, without pauses, timeouts and retries. */
export const WORKLOAD: Omit<Workload, "arrivals"> = {
  clients: { count: 1, zipf: 0 },
  requestsPerConnection: { kind: "deterministic", value: 1 },
  thinkTime: { kind: "deterministic", value: 0 },
  timeout: 5 * NS_PER_S,
  retries: { max: 0, backoff: 10 * NS_PER_MS, multiplier: 2, jitter: 0 },
};

/** What each load needs: a clock, a tally, and lines to a port of this machine. */
export function loadParts(port: number) {
  const clock = new RunClock(monotonicNow);
  const tally = new Tally(new BackendNames());
  const options = {
    address: { host: "127.0.0.1", port },
    payload: linePayload(),
    timeout: 5 * NS_PER_S,
    now: clock.now,
    until: Infinity,
  };
  return { clock, tally, options };
}
