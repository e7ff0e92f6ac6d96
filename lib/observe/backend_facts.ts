import type { Nanoseconds } from "../base/mod.ts";
import type { ConnectFailure, ConnectionEnd, EventOf } from "../core/mod.ts";
import { Latencies } from "./latencies.ts";

/** Upper bounds of the histograms of latencies, in seconds. */
const LATENCY_BOUNDS = [
  ...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
  ...[1, 2.5, 5, 10],
];
/** Upper bounds of the histogram of the durations of connections, in seconds. */
const DURATION_BOUNDS = [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600];

/** The number of samples of each backend's totals that are kept; rates are computed from them. */
export const SAMPLES = 12;

/** What the monitor records about one backend, in addition to the scheduler's table. */
export class BackendFacts {
  inFlightMax = 0;
  retried = 0;
  bytesToBackend = 0;
  bytesToClient = 0;
  readonly connect: Latencies = new Latencies(LATENCY_BOUNDS);
  readonly firstByte: Latencies = new Latencies(LATENCY_BOUNDS);
  readonly duration: Latencies = new Latencies(DURATION_BOUNDS);
  readonly probeDuration: Latencies = new Latencies(LATENCY_BOUNDS);
  readonly ends: Record<ConnectionEnd, number> = {
    closed: 0,
    client_aborted: 0,
    backend_aborted: 0,
    idle_timeout: 0,
    backend_down: 0,
    closed_by_balancer: 0,
  };
  readonly connectsFailed: Record<ConnectFailure, number> = {
    refused: 0,
    timeout: 0,
    unreachable: 0,
    tls: 0,
    other: 0,
  };
  healthSince: Nanoseconds;
  modeSince: Nanoseconds;
  lastProbe: EventOf<"probe"> | undefined;
  probes = 0;
  failedProbes = 0;
  isDown = false;
  timesDown = 0;
  /** How long it was down in all, without the present outage. */
  downBefore: Nanoseconds = 0;
  ejections = 0;
  /** The injected faults that it has, in words. */
  readonly faults: string[] = [];
  /** Connections since the start, at the monitor's last samples. */
  readonly opened: Float64Array = new Float64Array(SAMPLES);

  constructor(now: Nanoseconds) {
    this.healthSince = now;
    this.modeSince = now;
  }

  /** Begins the next part of the window of latencies. */
  rotate(): void {
    this.connect.rotate();
    this.firstByte.rotate();
    this.duration.rotate();
    this.probeDuration.rotate();
  }
}
