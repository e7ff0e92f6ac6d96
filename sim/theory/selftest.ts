/** The self-test: compares the simulator with theory. `lbsim sim --selftest`. */
import { detectionTime } from "../../lib/core/mod.ts";
import { aligned } from "../../lib/base/mod.ts";
import { inUnit } from "../../lib/report/format.ts";
import { parseStudy, type Study } from "../../lib/scenario/mod.ts";
import type { Estimate } from "../../lib/stats/mod.ts";
import { exactResults } from "./exact_results.ts";
import { Measured } from "../measure/mod.ts";
import { metricInfo, type MetricName, type ReplicationResult } from "../../lib/metrics/mod.ts";

/** The largest distance from theory that chance explains, in standard errors. */
const DEVIATION_MAX = 4;
/** If the standard error is a larger share of the value, the measurement is too noisy for a verdict. */
const NOISE_MAX = {
  ofTimes: 0.01,
  /** Shares of errors are small and therefore less precise. */
  ofErrors: 0.03,
};

/** A value of theory beside the measured one. */
export interface Verdict {
  readonly model: string;
  readonly metric: MetricName;
  readonly theory: number;
  readonly measured: Estimate;
  /** Whether the standard error is too large for a verdict. */
  readonly isNoisy: boolean;
  /** Whether the measured value is close to theory, and not too noisy. */
  readonly holds: boolean;
}

/** A study of queues without health checks. */
function queues(replications: number, rest: string): string {
  return `
title: selftest
balancer: {backends: 1, health_check: {type: none}}
duration: 1200s
warmup: 60s
replications: ${replications}
${rest}`;
}

const POISSON = "workload: {arrivals: {poisson: {load: 70%}}}";

/** Each variant fits another model of queueing theory. */
const MODELS = queues(
  32,
  `${POISSON}
compare:
  balancer:
    - {backends: 1}
    - {backends: 4, algorithm: random}
    - {backends: 2, algorithm: round-robin}
    - {backends: 5, algorithm: round-robin}
    - {backends: 2, algorithm: least-connections}
    - {backends: 5, algorithm: least-connections}
    - {backends: 5, algorithm: power-of-two}
    - {backends: 5, algorithm: {name: power-of-two, choices: 3}}
`,
);

/** One backend, with different servers. */
const SERVERS = queues(
  16,
  `${POISSON}
compare:
  servers.default:
    - {slots: 2}
    - {slots: 5}
    - {slots: 4, queue: 4}
    - {discipline: processor-sharing}
`,
);

/** One backend, with different service times. */
const SERVICES = queues(
  32,
  `${POISSON}
compare:
  service:
    - 10ms
    - {erlang: {stages: 4, mean: 10ms}}
    - {hyperexponential: {mean: 10ms, scv: 4}}
    - {lognormal: {mean: 10ms, sigma: 1}}
`,
);

/** Clients in a closed loop: each waits for its answer before it sends the next request. */
const CLOSED = queues(
  16,
  "workload: {arrivals: {closed: {clients: 20, think: {exponential: 100ms}}}}",
);

/** A crash and a hang. In each replication they begin at another phase of the probes. */
const DETECTION = `
title: selftest
balancer: {backends: 3, health_check: {type: tcp, interval: 2s, timeout: 1s, fall: 3, jitter: 0%}}
duration: 20s
replications: 400
workload: {arrivals: {poisson: {rate: 1/s}}}
faults: [{at: 5s, backend: B1, kind: crash}]
compare: {"faults[1].kind": [crash, hang]}
`;

/** The studies of the self-test, in order. */
export function selftestStudies(): Study[] {
  return [MODELS, SERVERS, SERVICES, CLOSED, DETECTION].map((text) =>
    parseStudy({ scenario: { file: "selftest", text }, files: {}, set: [] })
  );
}

/** Compares a study's results with theory. */
export function judge(
  study: Study,
  results: readonly (readonly ReplicationResult[])[],
): Verdict[] {
  return study.variants.flatMap((variant, i) => {
    const measured = new Measured(results[i]!);
    const over = (metric: MetricName) => measured.estimate(metric);
    const known = exactResults(variant.scenario, measured.results).map(({ model, metric, value }) =>
      verdict(model, metric, value, over(metric))
    );
    const [fault] = variant.scenario.faults;
    if (fault === undefined) return known;
    const { healthCheck } = variant.scenario.balancer;
    const silence = fault.kind.name === "hang" ? healthCheck.timeout : 0;
    const { mean } = detectionTime(healthCheck, silence);
    return [
      ...known,
      verdict(`${fault.kind.name} found`, "detection_ms", mean / 1e6, over("detection_ms")),
    ];
  });
}

function verdict(model: string, metric: MetricName, theory: number, measured: Estimate): Verdict {
  const { value, standardError } = measured;
  const noiseMax = metric === "errors" ? NOISE_MAX.ofErrors : NOISE_MAX.ofTimes;
  const isNoisy = standardError >= noiseMax * value;
  const close = Math.abs(value - theory) <= DEVIATION_MAX * standardError;
  return { model, metric, theory, measured, isNoisy, holds: !isNoisy && close };
}

/** The verdicts as a table. */
export function verdictLines(verdicts: readonly Verdict[]): string[] {
  return aligned([
    ["model", "metric", "theory", "measured", "95 % interval", "error", "verdict"],
    ...verdicts.map(({ model, metric, theory, measured, isNoisy, holds }) => {
      const show = (value: number) => inUnit(metricInfo(metric).unit, value);
      const { value, low, high, standardError } = measured;
      return [
        model,
        metric,
        show(theory),
        show(value),
        `${show(low)} … ${show(high)}`,
        `${((value - theory) / standardError).toFixed(1)} s.e.`,
        holds ? "agrees" : isNoisy ? "TOO NOISY" : "DISAGREES",
      ];
    }),
  ]);
}
