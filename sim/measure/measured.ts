import { NS_PER_MS } from "../../lib/base/mod.ts";
import {
  definitionOf,
  type MetricName,
  type Quantity,
  type ReplicationResult,
  unanswered,
  UNANSWERED_MAX,
  worst,
} from "../../lib/metrics/mod.ts";
import {
  CONFIDENCE,
  type Estimate,
  estimateMean,
  estimateRatio,
  PooledQuantiles,
  scaled,
} from "../../lib/stats/mod.ts";

/** The results of all runs of a variant, and its metrics. */
export class Measured {
  readonly results: readonly ReplicationResult[];
  readonly #quantiles = new Map<string, PooledQuantiles>();

  constructor(results: readonly ReplicationResult[]) {
    this.results = results;
  }

  /** Requests without an answer, as a share of all. */
  get unansweredShare(): number {
    const sum = (read: (result: ReplicationResult) => number) =>
      this.results.reduce((total, result) => total + read(result), 0);
    return sum(unanswered) / sum(({ requests }) => requests.offered);
  }

  /**
   * A metric with its confidence interval. The value is NaN if nothing was measured, and Infinity if the
   * metric is unknown but large: a percentile that falls among requests without an answer, or a fault that
   * was not detected.
   */
  estimate(metric: MetricName, backend?: string, confidence = CONFIDENCE): Estimate {
    const definition = definitionOf(metric, backend);
    switch (definition.kind) {
      case "quantile": {
        const { of, q, answered } = definition;
        return scaled(this.quantiles(of, answered).estimate(q, confidence), 1 / NS_PER_MS);
      }
      case "mean": {
        const { of, answered } = definition;
        const { results } = this;
        const mean = scaled(
          estimateRatio(
            results.map(({ [of]: { sum } }) => sum),
            results.map(({ [of]: { count } }) => count),
            confidence,
          ),
          1 / NS_PER_MS,
        );
        const known = answered || this.unansweredShare <= UNANSWERED_MAX;
        return known ? mean : { ...mean, value: Infinity, low: NaN, high: NaN, standardError: NaN };
      }
      case "ratio":
        return estimateRatio(
          this.results.map(definition.count),
          this.results.map(definition.per),
          confidence,
        );
      case "run":
      case "occurrence":
        return estimateMean(this.results.map(definition.read), confidence);
      case "max":
        return estimateMean([worst(this.results.map(definition.read))], confidence);
    }
  }

  /**
   * The values of a metric in the single runs.
   *
   * @throws {RangeError} if the metric has no value per run.
   */
  values(metric: MetricName, backend?: string): number[] {
    const definition = definitionOf(metric, backend);
    if (definition.kind !== "run" && definition.kind !== "occurrence") {
      throw new RangeError(`${metric} has only one value for all runs together`);
    }
    return this.results.map(definition.read);
  }

  /** The largest of the values of the single runs. */
  worst(metric: MetricName, backend?: string): number {
    return worst(this.values(metric, backend));
  }

  /** The sum of a count over all runs. */
  total(metric: MetricName): number {
    return this.values(metric).reduce((sum, value) => sum + value, 0);
  }

  /** Quantiles of a quantity over all runs. */
  quantiles(of: Quantity, answered: boolean): PooledQuantiles {
    const key = `${of} ${answered}`;
    let quantiles = this.#quantiles.get(key);
    if (quantiles === undefined) {
      quantiles = new PooledQuantiles(
        this.results.map((result) => ({
          histogram: result[of],
          missing: answered ? 0 : unanswered(result),
        })),
      );
      this.#quantiles.set(key, quantiles);
    }
    return quantiles;
  }
}
