/** Which formulas of queueing theory apply to a scenario. Each formula states its assumptions. */
import { NS_PER_MS, NS_PER_S, power } from "../../lib/base/mod.ts";
import { takesClients } from "../../lib/core/mod.ts";
import { meanServiceTime } from "../../lib/scenario/load.ts";
import type { Scenario, ServerOptions } from "../../lib/scenario/types.ts";
import { type Distribution, meanOf, scvOf } from "../../lib/stats/mod.ts";
import { offeredLoad } from "../model/mod.ts";
import type { MetricName, ReplicationResult } from "../../lib/metrics/mod.ts";
import { shortestOf } from "./shortest_queue.ts";
import { closedLoop, mg1Wait, mmc, mmckLoss, roundRobin, sharedSojourn } from "./theory.ts";
import type { Sojourn } from "./theory.ts";

/** The value that theory gives for a metric. */
export interface ExactResult {
  readonly metric: MetricName;
  readonly model: string;
  readonly value: number;
}

/** A scenario with its results and the quantities that the formulas use. */
interface Case {
  readonly scenario: Scenario;
  readonly results: readonly ReplicationResult[];
  /** The server of the first backend. */
  readonly server: ServerOptions;
  readonly backends: number;
  readonly load: number;
  /** Mean service time, in milliseconds. */
  readonly meanMs: number;
}

/** An assumption of a formula. */
export interface Assumption {
  readonly text: string;
  readonly holds: (one: Case) => boolean;
}

/** A model of queueing theory. */
export interface Model {
  /** In the field's notation. */
  readonly name: string;
  readonly gives: readonly MetricName[];
  /** Its assumptions besides those that all models share. */
  readonly assumes: readonly Assumption[];
  readonly source: string;
  readonly of: (one: Case) => readonly ExactResult[];
}

const assumption = (text: string, holds: Assumption["holds"]): Assumption => ({ text, holds });

/** The assumptions of every model. */
export const COMMON: readonly Assumption[] = [
  assumption(
    "all backends are alike: the same server options, weight 1, no backups, no `max_connections`",
    ({ scenario: { servers, balancer }, server }) =>
      servers.every((other) => JSON.stringify(other) === JSON.stringify(server)) &&
      balancer.backends.every((backend) =>
        takesClients(backend) && backend.weight === 1 && backend.maxConnections === undefined
      ),
  ),
  assumption("there is one load balancer", ({ scenario }) => scenario.loadBalancers === 1),
  assumption("there are no faults", ({ scenario }) => scenario.faults.length === 0),
  assumption(
    "no settings change during the run",
    ({ scenario: { changes = [] } }) => changes.length === 0,
  ),
  assumption(
    "messages take no time, and there are no `overheads`",
    ({ scenario: { network: { clientLatency, backendLatency }, overheads } }) =>
      isConstant(clientLatency, 0) && isConstant(backendLatency, 0) &&
      Object.values(overheads ?? {}).every((time) => time === 0),
  ),
  assumption(
    "each connection has one request",
    ({ scenario }) => isConstant(scenario.workload.requestsPerConnection, 1),
  ),
  assumption(
    "clients wait without a limit and do not try again (no `timeout`, no `retries`)",
    ({ scenario: { workload } }) => workload.timeout === Infinity && workload.retries.max === 0,
  ),
  assumption(
    "the balancer has no `sticky`, `queue`, `slow_start`, `ejection`, `allow`, `deny` or " +
      "`limits.per_client`",
    ({ scenario: { balancer: { sticky, queue, slowStart, ejection, allow, deny, limits } } }) =>
      [sticky, queue, slowStart, ejection, allow, deny, limits.perClient].every((setting) =>
        setting === undefined
      ),
  ),
  assumption(
    "probes do no work at the backends (`health_check.type` is none or tcp), and no backend was " +
      "considered down in any run",
    ({ scenario, results }) =>
      ["none", "tcp"].includes(scenario.balancer.healthCheck.type) &&
      results.every(({ backends }) => backends.every(({ downs }) => downs === 0)),
  ),
  assumption(
    "`limits.connections` and `timeouts.idle` had no effect in any run",
    ({ results }) =>
      results.every(({ turnedAway, idleCuts }) =>
        idleCuts === 0 && (turnedAway.connection_limit ?? 0) === 0
      ),
  ),
];

const POISSON = assumption(
  "arrivals are `poisson`",
  ({ scenario }) => scenario.workload.arrivals.kind === "poisson",
);
const EXPONENTIAL = assumption(
  "service is `exponential`",
  ({ scenario }) => scenario.service.kind === "exponential",
);
const FIFO = assumption(
  "requests are served in order of arrival (`discipline: fifo`)",
  ({ server }) => server.discipline === "fifo",
);
const SHARING = assumption(
  "requests share the backend (`discipline: processor-sharing`)",
  ({ server }) => server.discipline === "processor-sharing",
);
const UNLIMITED_QUEUE = assumption(
  "the backend's queue is unlimited",
  ({ server }) => server.queue === Infinity,
);
const LIMITED_QUEUE = assumption(
  "the backend's queue is limited",
  ({ server }) => server.queue !== Infinity,
);
const STABLE = assumption("the load is below 100 %", ({ load }) => load < 1);
const ONE_SLOT = assumption("a backend has one slot", ({ server }) => server.slots === 1);
const FINITE_SLOTS = assumption(
  "the number of slots is limited",
  ({ server }) => server.slots !== Infinity,
);
const ONE_BACKEND = assumption("there is one backend", ({ backends }) => backends === 1);
const SPLIT = assumption(
  "there is one backend, or the algorithm is `random`",
  ({ scenario, backends }) => backends === 1 || scenario.balancer.algorithm.name === "random",
);

const ROUND_ROBIN = assumption(
  "the algorithm is `round-robin`",
  ({ scenario }) => scenario.balancer.algorithm.name === "round-robin",
);

/** With more backends the Markov chain of all queue lengths is too large to solve. */
const CHAIN_BACKENDS_MAX = 5;
/** Longest queue in the chain, by number of backends; longer queues must be rare enough to be ignored. */
const CHAIN_LONGEST = [0, 200, 70, 40, 25, 16];
const CHAIN_TAIL_MAX = 1e-6;

/** All models. The first one whose assumptions are true is used. */
export const MODELS: readonly Model[] = [
  {
    name: "M/M/c/K",
    gives: ["errors"],
    assumes: [POISSON, EXPONENTIAL, FIFO, ONE_BACKEND, FINITE_SLOTS, LIMITED_QUEUE],
    source: "Erlang; L. Kleinrock, Queueing Systems I, 3.6",
    of({ server: { slots, queue }, load }) {
      const places = slots + queue;
      const value = mmckLoss(slots, places, load * slots, 1);
      return [{ metric: "errors", model: `M/M/${slots}/${places}`, value }];
    },
  },
  {
    name: "M/G/1-PS",
    gives: ["mean_ms"],
    assumes: [POISSON, SHARING, SPLIT, ONE_SLOT, UNLIMITED_QUEUE, STABLE],
    source: "L. Kleinrock, Queueing Systems II, 4.4",
    of: ({ load, meanMs }) => [
      { metric: "mean_ms", model: "M/G/1-PS", value: sharedSojourn(load, 1) * meanMs },
    ],
  },
  {
    name: "M/M/c",
    gives: ["mean_ms", "p99_ms"],
    assumes: [POISSON, EXPONENTIAL, FIFO, SPLIT, FINITE_SLOTS, UNLIMITED_QUEUE, STABLE],
    source: "Erlang; L. Kleinrock, Queueing Systems I, 3.5",
    of: ({ server: { slots }, load, meanMs }) =>
      ofSojourn(`M/M/${slots}`, mmc(slots, load * slots, 1), meanMs),
  },
  {
    name: "M/G/1",
    gives: ["mean_ms", "wait_mean_ms"],
    assumes: [POISSON, FIFO, SPLIT, ONE_SLOT, UNLIMITED_QUEUE, STABLE],
    source: "Pollaczek and Khinchine; L. Kleinrock, Queueing Systems I, 5.6",
    of({ scenario: { service }, load, meanMs }) {
      const scv = scvOf(service);
      const wait = mg1Wait(load, 1, scv) * meanMs;
      const model = scv === 0 ? "M/D/1" : `M/G/1, c² = ${scv.toPrecision(3)}`;
      return [
        { metric: "mean_ms", model, value: wait + meanMs },
        { metric: "wait_mean_ms", model, value: wait },
      ];
    },
  },
  {
    name: "Eₙ/M/1",
    gives: ["mean_ms", "p99_ms"],
    assumes: [POISSON, EXPONENTIAL, FIFO, ONE_SLOT, UNLIMITED_QUEUE, STABLE, ROUND_ROBIN],
    source: "G/M/1 with Erlang's gaps; L. Kleinrock, Queueing Systems I, 6.4",
    of: ({ backends, load, meanMs }) =>
      ofSojourn(`E${backends}/M/1`, roundRobin(backends, load), meanMs),
  },
  {
    name: "JSQ(d of n)",
    gives: ["mean_ms", "p99_ms"],
    assumes: [
      ...[POISSON, EXPONENTIAL, FIFO, ONE_SLOT, UNLIMITED_QUEUE, STABLE],
      assumption(
        "the algorithm is `least-connections` or `power-of-two`",
        (one) => choicesOf(one) !== undefined,
      ),
      assumption(
        `there are at most ${CHAIN_BACKENDS_MAX} backends, at a load at which long queues are rare`,
        ({ backends, load }) =>
          backends <= CHAIN_BACKENDS_MAX &&
          power(load, backends * CHAIN_LONGEST[backends]!) < CHAIN_TAIL_MAX,
      ),
    ],
    source: "the Markov chain of the queue lengths, solved numerically",
    of(one) {
      const { backends, load, meanMs } = one;
      const choices = choicesOf(one)!;
      const model = choices === backends ? `JSQ(${backends})` : `JSQ(${choices} of ${backends})`;
      return ofSojourn(model, shortestOf(backends, choices, load), meanMs);
    },
  },
  {
    name: "M/M/1//N",
    gives: ["throughput_per_s", "mean_ms"],
    assumes: [
      assumption(
        "arrivals are `closed` and clients think for an `exponential` time",
        ({ scenario: { workload: { arrivals } } }) =>
          arrivals.kind === "closed" && arrivals.think.kind === "exponential",
      ),
      ...[EXPONENTIAL, FIFO, ONE_BACKEND, ONE_SLOT],
      assumption(
        "the backend's queue has room for all clients",
        ({ scenario: { workload: { arrivals } }, server }) =>
          arrivals.kind === "closed" && server.queue >= arrivals.clients,
      ),
    ],
    source: "the machine repair model; M. Reiser and S. Lavenberg, mean value analysis, 1980",
    of({ scenario: { workload: { arrivals }, service }, server }) {
      if (arrivals.kind !== "closed") return [];
      const { clients, think } = arrivals;
      const mean = meanServiceTime(service, server);
      const { throughput, response } = closedLoop(clients, meanOf(think), mean);
      const model = `M/M/1//${clients}`;
      return [
        { metric: "throughput_per_s", model, value: throughput * NS_PER_S },
        { metric: "mean_ms", model, value: response / NS_PER_MS },
      ];
    },
  },
];

/**
 * The metrics of a scenario that queueing theory gives exactly; none if no model covers it.
 *
 * @param results The results of its runs, because some assumptions depend on them: a limit that was never
 * reached had no effect.
 */
export function exactResults(
  scenario: Scenario,
  results: readonly ReplicationResult[],
): readonly ExactResult[] {
  const one = caseOf(scenario, results);
  if (one === undefined || !hold(COMMON, one)) return [];
  return MODELS.find(({ assumes }) => hold(assumes, one))?.of(one) ?? [];
}

/**
 * Why no model covers a scenario: the first shared assumption that does not hold, or the assumptions that are missing
 * for the model that comes nearest. Undefined if a model covers it.
 */
export function whyNoTheory(
  scenario: Scenario,
  results: readonly ReplicationResult[],
): string | undefined {
  const one = caseOf(scenario, results);
  if (one === undefined) return "there is no backend";
  const missing = (assumptions: readonly Assumption[]) =>
    assumptions.filter(({ holds }) => !holds(one)).map(({ text }) => text);
  const [first] = missing(COMMON);
  if (first !== undefined) return `theory would need: ${first}`;
  const [nearest] = MODELS.map(({ name, assumes }) => ({ name, missing: missing(assumes) }))
    .toSorted((a, b) => a.missing.length - b.missing.length);
  if (nearest === undefined || nearest.missing.length === 0) return undefined;
  return `the nearest model, ${nearest.name}, would need: ${nearest.missing.join("; ")}`;
}

function hold(assumptions: readonly Assumption[], one: Case): boolean {
  return assumptions.every(({ holds }) => holds(one));
}

function caseOf(scenario: Scenario, results: readonly ReplicationResult[]): Case | undefined {
  const [server] = scenario.servers;
  return server && {
    scenario,
    results,
    server,
    backends: scenario.servers.length,
    load: offeredLoad(scenario),
    meanMs: meanServiceTime(scenario.service, server) / NS_PER_MS,
  };
}

/** How many queues a pick compares; undefined for an algorithm that does not compare queues. */
function choicesOf({ scenario: { balancer: { algorithm } }, backends }: Case): number | undefined {
  if (algorithm.name === "least-connections") return backends;
  if (algorithm.name === "power-of-two") return Math.min(algorithm.choices ?? 2, backends);
  return undefined;
}

function ofSojourn(model: string, { mean, quantile }: Sojourn, meanMs: number): ExactResult[] {
  return [
    { metric: "mean_ms", model, value: mean * meanMs },
    { metric: "p99_ms", model, value: quantile(0.99) * meanMs },
  ];
}

function isConstant(distribution: Distribution, value: number): boolean {
  return distribution.kind === "deterministic" && distribution.value === value;
}
