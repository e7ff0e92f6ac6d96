/** Checks whether one machine can run a study in real time. */
import { formatDuration, type Nanoseconds, NS_PER_S, UserError } from "../lib/base/mod.ts";
import { plain } from "../lib/report/mod.ts";
import type { Study } from "../lib/scenario/mod.ts";
import type { Scenario } from "../lib/scenario/types.ts";
import { meanRate } from "../lib/workload/mod.ts";
import { meanOf } from "../lib/stats/mod.ts";

/** A longer study is refused unless the caller allows it. */
export const LIVE_TIME_MAX: Nanoseconds = 3600 * NS_PER_S;
const BACKENDS_MAX = 100;
const BALANCERS_MAX = 10;
const CLIENTS_MAX = 2000;
/**
 * The highest rate of requests per second at which the clients, the balancer and the backends, which share one
 * process, hardly delay each other.
 */
const RATE_MAX = 1000;

/** How long a study takes in real time. Infinity if that is not known before. */
export function liveTime({ variants, repetition }: Study): Nanoseconds {
  const runs = "replications" in repetition ? repetition.replications : repetition.maxReplications;
  return runs * variants.reduce((sum, { scenario }) => sum + lengthOf(scenario), 0);
}

function lengthOf({ end, workload }: Scenario): Nanoseconds {
  if ("duration" in end) return end.duration;
  const rate = meanRate(workload.arrivals);
  return Number.isNaN(rate) ? Infinity : end.connections * NS_PER_S / rate;
}

/**
 * Refuses a study that this machine cannot run in real time, before anything starts.
 *
 * @throws {UserError} with the reason, and what would be possible.
 */
export function requireFeasible(study: Study, limit: Nanoseconds): void {
  for (const { name, scenario } of study.variants) {
    const stages = [scenario, ...scenario.changes?.map(({ to }) => ({ ...to, warmup: 0 })) ?? []];
    const problem = stages.map(problemOf).find((found) => found !== undefined);
    if (problem === undefined) continue;
    const where = study.variants.length > 1 ? `${name}: ` : "";
    throw new UserError(`not possible live: ${where}${problem.message}`, {
      exitCode: 2,
      hint: problem.hint,
    });
  }
  const taken = liveTime(study);
  if (taken <= limit) return;
  const runs = "replications" in study.repetition ? study.repetition.replications : undefined;
  const parts = [
    `${study.variants.length} variant${study.variants.length === 1 ? "" : "s"}`,
    runs === undefined ? "replications until `precision` is reached" : `${runs} replications`,
  ];
  throw new UserError(
    `not possible live: ${parts.join(" × ")} take ` +
      `${Number.isFinite(taken) ? formatDuration(Math.round(taken)) : "an unknown time"}, ` +
      `more than ${formatDuration(limit)}`,
    {
      exitCode: 2,
      hint: "use less: --replications 1, --set duration=30s; or allow more: --limit",
    },
  );
}

interface Problem {
  readonly message: string;
  readonly hint: string;
}

function problemOf(scenario: Scenario): Problem | undefined {
  const { balancer, loadBalancers, workload, warmup, hashPlacement: _ } = scenario;
  const { backends, sticky } = balancer;
  if (backends.length > BACKENDS_MAX) {
    return {
      message: `${backends.length} backends on one machine would only measure the machine`,
      hint: `at most ${BACKENDS_MAX}; lbsim sim has no such limit`,
    };
  }
  if (loadBalancers > BALANCERS_MAX) {
    return {
      message: `${loadBalancers} load balancers on one machine would only measure the machine`,
      hint: `at most ${BALANCERS_MAX}; lbsim sim has no such limit`,
    };
  }
  if (warmup === "auto") {
    return {
      message: "`warmup: auto` needs a pilot run in virtual time",
      hint: "set `warmup` to a time, like --set warmup=5s",
    };
  }
  if (scenario.idleReports) {
    return {
      message: "`idle_reports`: real backends do not report that they are idle",
      hint: "set `idle_reports: off`",
    };
  }
  if (sticky !== undefined && (sticky.store ?? "memory") !== "memory") {
    return {
      message: "`sticky.store`: a live scenario keeps sessions in memory",
      hint: "set `balancer.sticky.store: memory`, or use lbsim lb",
    };
  }
  const { arrivals, requestsPerConnection } = workload;
  if (arrivals.kind === "closed") {
    if (arrivals.clients <= CLIENTS_MAX) return undefined;
    return {
      message: `${arrivals.clients} clients on one machine would only measure the machine`,
      hint: `at most ${CLIENTS_MAX}; lbsim sim has no such limit`,
    };
  }
  const requests = meanRate(arrivals) * Math.max(1, meanOf(requestsPerConnection));
  if (!(requests > RATE_MAX)) return undefined;
  return {
    message: `${plain(requests)} requests/s are too many: this process would delay them`,
    hint:
      `at most ${RATE_MAX}/s: with a lower rate and longer service times, the load stays the same`,
  };
}
