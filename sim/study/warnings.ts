/** Warnings about the reliability of a variant's numbers. */
import { isHash } from "../../lib/core/mod.ts";
import { NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import { percent, plain } from "../../lib/report/format.ts";
import type { MetricName } from "../../lib/metrics/mod.ts";
import type { Study } from "../../lib/scenario/mod.ts";
import type { Scenario } from "../../lib/scenario/types.ts";
import type { Measured } from "../measure/mod.ts";
import { longConnectionLines } from "./long_connections.ts";
import { relativeHalf } from "./precision.ts";
import { roundedUp, tooShort } from "./run_length.ts";

/** A backend with at least this utilisation counts as always busy. */
export const SATURATED = 0.995;
/**
 * A backend that was always busy is overloaded if each of its slots has served this many requests, in all runs together.
 * With fewer requests, a queue may also last for the whole run by chance: of 300 backends with M/M/1 at 90 % load, two
 * were busy during all of 900 requests.
 */
const CERTAIN_MIN = 1000;
/** If a limit has refused a smaller share of requests than this, it has not distorted the result. */
const BENT_MIN = 0.001;
/** The metrics that the main table shows, with their names there. */
const SHOWN: readonly (readonly [suffix: string, name: string])[] = [
  ...[["mean_ms", "mean"], ["p50_ms", "p50"], ["p90_ms", "p90"], ["p99_ms", "p99"]] as const,
  ...[["p999_ms", "p99.9"], ["max_ms", "max"]] as const,
];

/** Findings about a variant that were computed elsewhere. */
export interface Findings {
  readonly load: number;
  /** Backends that were always busy. */
  readonly saturated: readonly string[];
  readonly confidence: number;
}

/** All warnings about a variant. */
export function warningsOf(
  study: Study,
  scenario: Scenario,
  measured: Measured,
  { load, saturated, confidence }: Findings,
): string[] {
  const failures = failureLines(measured);
  if (measured.total("offered") === 0) {
    return [
      ...failures,
      "nothing was measured: no request began between the warm-up and the end of the run",
    ];
  }
  const growing = growth(load, saturated, scenario, measured);
  return [
    ...failures,
    ...unansweredLines(measured),
    ...growing,
    ...growing.length > 0 ? [] : lengthLines(scenario, measured),
    ...longConnectionLines(scenario, measured),
    ...precisionLines(study, measured, confidence),
    ...limitLines(scenario, measured),
  ];
}

/** Each reader of events that has failed, named once. */
function failureLines({ results }: Measured): string[] {
  const failures = new Set(results.flatMap(({ readerFailures = [] }) => readerFailures));
  return [...failures].map((failure) => `a defect of lbsim: ${failure}`);
}

/** Warnings about overload: queues that grow without end. */
function growth(
  load: number,
  saturated: readonly string[],
  scenario: Scenario,
  measured: Measured,
): string[] {
  if (load >= 1) {
    return [
      `overload: the load is ${percent(load)} of the backends' capacity. Queues without a limit ` +
      "grow until the run ends, so times depend on the duration of the run.",
    ];
  }
  if (saturated.length === 0) return sometimesSaturated(scenario, measured);
  const isCertain = (id: string) => {
    const i = scenario.balancer.backends.findIndex((backend) => backend.id === id);
    const { slots } = scenario.servers[i]!;
    return measured.results.reduce((sum, { backends }) => sum + backends[i]!.done, 0) >=
      CERTAIN_MIN * slots;
  };
  const certain = saturated.filter(isCertain);
  const others = saturated.filter((id) => !isCertain(id));
  const [verb, whose] = certain.length === 1
    ? ["is", "its queue grows"]
    : ["are", "their queues grow"];
  return [
    ...certain.length === 0
      ? []
      : [`${certain.join(", ")} ${verb} overloaded: ${whose} until the run ends.`],
    ...others.length === 0 ? [] : [
      `${others.join(", ")} ${
        others.length === 1 ? "was" : "were"
      } always busy: overloaded, or busy by ` +
      "chance. Longer runs show which.",
    ],
  ];
}

/**
 * Warnings about backends that are overloaded in some runs only. This happens if clients are placed differently in
 * each run, by a hash or by sticky sessions. Without these, a backend that was always busy in one run was busy by
 * chance.
 */
function sometimesSaturated(
  { servers, balancer, workload }: Scenario,
  { results }: Measured,
): string[] {
  if (workload.arrivals.kind === "closed") return [];
  if (!isHash(balancer.algorithm) && balancer.sticky === undefined) return [];
  const runs =
    results.filter(({ backends }) =>
      backends.some(({ utilisation }, i) =>
        servers[i]!.queue === Infinity && utilisation > SATURATED
      )
    ).length;
  if (runs === 0) return [];
  return [
    `in ${runs} of ${results.length} runs a backend was overloaded: its queue grew until the run ended.`,
  ];
}

/** Warnings about times that are unknown because too many requests were not answered. */
function unansweredLines(measured: Measured): string[] {
  const share = measured.unansweredShare;
  if (share === 0) return [];
  const unknown = SHOWN.filter(([suffix]) =>
    measured.estimate(suffix as MetricName).value === Infinity
  );
  if (unknown.length === 0) return [];
  const answered = unknown.flatMap(([suffix, name]) => {
    const { value } = measured.estimate(`answered_${suffix}` as MetricName);
    return Number.isFinite(value) ? [`${name} ${plain(value)} ms`] : [];
  });
  if (unknown.every(([, name]) => name === "max")) {
    return [`max is unknown: ${percent(share)} of requests were not answered`];
  }
  return [
    `${percent(share)} of requests were not answered and count as slower than every answer, so ` +
    `these are unknown: ${unknown.map(([, name]) => name).join(", ")}` +
    (answered.length === 0 ? "" : `. Of answered requests only: ${answered.join(", ")}`),
  ];
}

/** Warnings about runs that are too short for correct intervals. */
function lengthLines(scenario: Scenario, measured: Measured): string[] {
  const short = tooShort(scenario, measured);
  if (short === undefined) return [];
  const { relaxation, factor, replications } = short;
  const length = "duration" in scenario.end
    ? `duration: ${roundedUp(scenario.end.duration * factor)}`
    : `connections: ${Math.ceil(scenario.end.connections * factor)}`;
  const remedies = [
    // The length of a trace cannot be changed.
    ...scenario.workload.arrivals.kind === "trace" ? [] : [length],
    ...Number.isFinite(replications) ? [`replications: ${replications}`] : [],
  ];
  const reason = relaxation === 0
    ? "there are too few requests for p99"
    : `a long queue needs about ${plain(relaxation / NS_PER_S)} s to return to its usual length`;
  return [
    `the runs are too short for this load: ${reason}, so the intervals, above all that of p99, ` +
    `may be wrong. Sufficient: ${remedies.join(", or ")}`,
  ];
}

/** Warnings about a study that ended before it reached the precision that the scenario asks for. */
function precisionLines({ repetition }: Study, measured: Measured, confidence: number): string[] {
  if ("replications" in repetition) return [];
  const { metric, relative, maxReplications } = repetition;
  const estimate = measured.estimate(metric, undefined, confidence);
  const half = relativeHalf(estimate);
  if (half <= relative) return [];
  if (estimate.value === 0) {
    return [
      `${metric} is 0 in all ${maxReplications} replications (precision.max_replications): its ` +
      `precision is unknown`,
    ];
  }
  const reached = Number.isFinite(half) ? `± ${percent(half)}` : "unknown";
  return [
    `${metric} has not reached the requested precision: ${reached} instead of ± ${
      percent(relative)
    } ` +
    `after ${maxReplications} replications (precision.max_replications)`,
  ];
}

/** Warnings about settings of the balancer, often defaults, that distorted the result. */
function limitLines({ balancer }: Scenario, measured: Measured): string[] {
  const offered = measured.total("offered");
  const attempts = offered + measured.total("retried");
  const sum = (read: (result: Measured["results"][number]) => number) =>
    measured.results.reduce((total, result) => total + read(result), 0);
  const refused = sum(({ turnedAway }) => turnedAway.connection_limit ?? 0) / attempts;
  const cut = sum(({ idleCuts }) => idleCuts) / attempts;
  const downs = sum(({ falseDowns }) => falseDowns);
  const { limits, timeouts, healthCheck } = balancer;
  return [
    ...refused < BENT_MIN ? [] : [
      `limits.connections: ${limits.connections} refused ${percent(refused)} of requests. ` +
      "To see the result without this limit, raise balancer.limits.connections",
    ],
    ...cut < BENT_MIN ? [] : [
      `timeouts.idle: ${plain(timeouts.idle / NS_PER_S)} s ended ${percent(cut)} of requests, ` +
      "because a connection carries no data while its request waits or is served. " +
      "To see the result without this limit, raise balancer.timeouts.idle",
    ],
    ...downs === 0 ? [] : [
      `backends without a fault were marked as down ${downs} times, because probes failed: ` +
      `a full backend refuses a probe, or does not answer it within health_check.timeout ` +
      `(${plain(healthCheck.timeout / NS_PER_MS)} ms). ` +
      "To see the result without this effect, set balancer.health_check: {type: none}",
    ],
  ];
}
