/** Measures what this machine adds to each connection and request of a live run. */
import { childSeed, type Nanoseconds, NS_PER_MS, NS_PER_S } from "../lib/base/mod.ts";
import { Alarms, listen, monotonicNow } from "../lib/io/mod.ts";
import { parseStudy } from "../lib/scenario/mod.ts";
import type { Overheads } from "../lib/scenario/types.ts";
import { Histogram } from "../lib/stats/mod.ts";
import type { ReadyScenario } from "../sim/study/mod.ts";
import { runLive } from "./live_run.ts";

/** The result of a calibration. */
export interface Calibration {
  /** The keys `overheads` of a scenario. */
  readonly overheads: Overheads;
  /** How late a run notices the moments for which it waits: the median, and the 99th percentile. */
  readonly timerLateness: { readonly p50: Nanoseconds; readonly p99: Nanoseconds };
  /** How late a `setTimeout` of 10 ms fires: the median. */
  readonly timeoutLateness: Nanoseconds;
}

const CONNECTS = 60;
const MOMENTS = 60;
const PAUSE: Nanoseconds = 12 * NS_PER_MS;
const SERVICE: Nanoseconds = 5 * NS_PER_MS;
const MANY = 20;

/** A scenario whose requests never wait, with this number of requests on each connection. */
const scenarioOf = (requests: number) => `
balancer: {backends: 3, algorithm: round-robin, health_check: {type: none}}
duration: 3500ms
warmup: 500ms
workload: {arrivals: {deterministic: ${
  requests === 1 ? 40 : 4
}/s}, requests_per_connection: ${requests}}
service: ${SERVICE / NS_PER_MS}ms
`;

/**
 * Measures in about ten seconds. No other program should run in this time.
 *
 * @throws The signal's reason, when it is aborted.
 */
export async function calibrate(
  signal: AbortSignal,
  progress: (what: string) => void,
): Promise<Calibration> {
  progress("how late timers are");
  const { timerLateness, timeoutLateness } = await measureTimers();
  progress("how long a connect takes");
  const connect = await measureConnect();
  progress("requests on connections of their own");
  const single = await addedTo(1, signal);
  progress("requests that follow each other on a connection");
  const many = await addedTo(MANY, signal);
  // With many requests on a connection, the median request is not the first one. The first request also includes the
  // cost of its connection.
  const relayRequest = Math.max(0, many);
  const relayConnection = Math.max(0, single - relayRequest - 2 * connect);
  return {
    overheads: {
      connect: rounded(connect),
      relayConnection: rounded(relayConnection),
      relayRequest: rounded(relayRequest),
    },
    timerLateness,
    timeoutLateness,
  };
}

/** A duration, rounded to whole microseconds. */
function rounded(duration: Nanoseconds): Nanoseconds {
  return Math.round(duration / 1000) * 1000;
}

/** The median time that a request takes in addition to its work. */
async function addedTo(requests: number, signal: AbortSignal): Promise<Nanoseconds> {
  const text = scenarioOf(requests);
  const study = parseStudy({ scenario: { file: "calibration", text }, files: {}, set: [] });
  const scenario = study.variants[0]!.scenario as ReadyScenario;
  const seed = childSeed(study.seed, "calibration");
  const { result } = await runLive(scenario, seed, { signal, series: false });
  signal.throwIfAborted();
  return Histogram.fromData(result.sojourn).quantile(0.5) - SERVICE;
}

async function measureTimers() {
  const alarms = new Alarms(monotonicNow);
  const late = new Histogram();
  const timeouts = new Histogram();
  for (let i = 0; i < MOMENTS; i++) {
    const due = monotonicNow() + PAUSE + i * 1000;
    await alarms.until(due);
    late.record(Math.max(0, monotonicNow() - due));
    const begun = monotonicNow();
    await new Promise((resolve) => setTimeout(resolve, 10));
    timeouts.record(Math.max(0, monotonicNow() - begun - 10 * NS_PER_MS));
  }
  return {
    timerLateness: { p50: late.quantile(0.5), p99: late.quantile(0.99) },
    timeoutLateness: timeouts.quantile(0.5),
  };
}

/** The time from the call until both ends have the connection: the median. */
async function measureConnect(): Promise<Nanoseconds> {
  using listener = listen({ host: "127.0.0.1", port: 0 });
  const alarms = new Alarms(monotonicNow);
  const taken = new Histogram();
  for (let i = 0; i < CONNECTS; i++) {
    await alarms.until(monotonicNow() + NS_PER_S / 50);
    const begun = monotonicNow();
    const accepting = listener.accept();
    using _near = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    using _far = await accepting;
    taken.record(monotonicNow() - begun);
  }
  return taken.quantile(0.5);
}
