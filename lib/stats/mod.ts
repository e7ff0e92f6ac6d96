/** Statistics: estimates with their intervals, histograms, and all distributions. */
export {
  CONFIDENCE,
  differenceOf,
  type Estimate,
  estimateMean,
  estimateRatio,
  logRatioOf,
  scaled,
  withConfidence,
} from "./estimate.ts";
export { exponential } from "./exponential.ts";
export { Histogram, type HistogramData } from "./histogram.ts";
export { holm } from "./holm.ts";
export { KeyedRandom, KeyedSampler } from "./keyed_random.ts";
export { warmupLength } from "./mser.ts";
export { PooledQuantiles } from "./pooled_quantiles.ts";
export { countOf, meanCount } from "./rounded.ts";
export {
  createSampler,
  createZipf,
  type Distribution,
  meanOf,
  type Sampler,
  scvOf,
} from "./variates.ts";
