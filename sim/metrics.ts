import { NS_PER_MS } from "../lib/core/mod.ts";
import type { MetricName } from "../lib/scenario/metrics.ts";
import { Histogram } from "../lib/stats/histogram.ts";
import type { BackendResult, FaultResult, ReplicationResult } from "./result.ts";

/** A replication's result that can be asked for its metrics. */
export class Measured {
  readonly result: ReplicationResult;
  readonly #sojourn: Histogram;
  readonly #wait: Histogram;
  readonly #failover: Histogram;

  constructor(result: ReplicationResult) {
    this.result = result;
    this.#sojourn = Histogram.fromData(result.sojourn);
    this.#wait = Histogram.fromData(result.wait);
    this.#failover = Histogram.fromData(result.failover);
  }

  /**
   * The value of a metric; NaN where nothing was measured. What was to happen and did not (a fault that
   * was not detected) took for ever: Infinity.
   *
   * @param backend Its id, for a metric of a backend.
   */
  value(metric: MetricName, backend?: string): number {
    const { requests, imbalance, sessionsMoved } = this.result;
    if (backend !== undefined) return this.#ofBackend(metric, backend);
    switch (metric) {
      case "mean_ms":
        return this.#sojourn.mean / NS_PER_MS;
      case "p50_ms":
        return this.#sojourn.quantile(0.5) / NS_PER_MS;
      case "p90_ms":
        return this.#sojourn.quantile(0.9) / NS_PER_MS;
      case "p99_ms":
        return this.#sojourn.quantile(0.99) / NS_PER_MS;
      case "p999_ms":
        return this.#sojourn.quantile(0.999) / NS_PER_MS;
      case "max_ms":
        return this.#sojourn.quantile(1) / NS_PER_MS;
      case "wait_mean_ms":
        return this.#wait.mean / NS_PER_MS;
      case "wait_p50_ms":
        return this.#wait.quantile(0.5) / NS_PER_MS;
      case "wait_p90_ms":
        return this.#wait.quantile(0.9) / NS_PER_MS;
      case "wait_p99_ms":
        return this.#wait.quantile(0.99) / NS_PER_MS;
      case "wait_p999_ms":
        return this.#wait.quantile(0.999) / NS_PER_MS;
      case "wait_max_ms":
        return this.#wait.quantile(1) / NS_PER_MS;
      case "errors":
        return (requests.failed + requests.refused + requests.timedOut) / requests.offered;
      case "offered":
        return requests.offered;
      case "done":
        return requests.done;
      case "failed":
        return requests.failed;
      case "refused":
        return requests.refused;
      case "timed_out":
        return requests.timedOut;
      case "retried":
        return requests.retried;
      case "unfinished":
        return requests.unfinished;
      case "throughput_per_s":
        return this.result.throughput;
      case "goodput_per_s":
        return requests.inTime / this.#windowSeconds;
      case "imbalance":
        return imbalance.maxOverMean;
      case "imbalance_cv":
        return imbalance.coefficientOfVariation;
      case "sessions_moved":
        return sessionsMoved.failover + sessionsMoved.failback;
      case "false_downs":
        return this.result.falseDowns;
      case "failover_mean_ms":
        return this.#failover.mean / NS_PER_MS;
      case "failover_p99_ms":
        return this.#failover.quantile(0.99) / NS_PER_MS;
      case "detection_ms":
        return worst(this.result.faults.map(detectionMs));
      case "failback_ms":
        return worst(this.result.faults.map(failbackMs));
      case "share":
      case "utilisation":
      case "queue":
      case "in_flight":
      case "down_share":
      case "downs":
        throw new RangeError(`${metric} is a metric of a backend`);
    }
  }

  get #windowSeconds(): number {
    const { from, to } = this.result.window;
    return (to - from) / 1e9;
  }

  #ofBackend(metric: MetricName, id: string): number {
    const ofFaults = (time: (fault: FaultResult) => number) =>
      worst(this.result.faults.filter(({ backend }) => backend === id).map(time));
    if (metric === "detection_ms") return ofFaults(detectionMs);
    if (metric === "failback_ms") return ofFaults(failbackMs);
    const backend = this.result.backends.find((one) => one.id === id);
    const read = BACKEND[metric];
    if (read === undefined) throw new RangeError(`${metric} is not a metric of a backend`);
    return backend === undefined ? NaN : read(backend);
  }
}

const BACKEND: Readonly<Partial<Record<MetricName, (backend: BackendResult) => number>>> = {
  share: ({ share }) => share,
  utilisation: ({ utilisation }) => utilisation,
  queue: ({ meanQueue }) => meanQueue,
  in_flight: ({ meanInFlight }) => meanInFlight,
  down_share: ({ downShare }) => downShare,
  downs: ({ downs }) => downs,
  done: ({ done }) => done,
  failed: ({ failed }) => failed,
};

/** Until the last balancer took it down; Infinity if one never did. */
export function detectionMs({ detection }: FaultResult): number {
  return worst(detection.map((time) => time === null ? Infinity : time / NS_PER_MS));
}

/** Until the last balancer took it in again; NaN if the fault never ended, or was not detected. */
export function failbackMs({ until, detection, failback }: FaultResult): number {
  if (until === undefined) return NaN;
  return worst(failback.map((time, balancer) => {
    if (detection[balancer] === null) return NaN;
    return time === null ? Infinity : time / NS_PER_MS;
  }));
}

/** The largest of those that are numbers; NaN if none is. */
function worst(times: readonly number[]): number {
  const known = times.filter((time) => !Number.isNaN(time));
  return known.length === 0 ? NaN : Math.max(...known);
}
