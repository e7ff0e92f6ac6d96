/**
 * The schema of scenario files. Validation, the JSON Schema for editors and the reference in
 * docs/scenarios.md are generated from it.
 */
import * as z from "zod";
import {
  address,
  backendKeys,
  configKeys,
  duration,
  faultsWithValues,
  flag,
  integer,
  number,
  oneKeyOf,
  rate,
  rule,
  serverKeys,
  share,
  words,
} from "../config/mod.ts";
import { formatDuration, type Nanoseconds, NS_PER_S } from "../base/mod.ts";
import {
  count,
  durationOr,
  durations,
  listOf,
  numberFrom,
  numbers,
  optionalKeys,
} from "./scalars.ts";

/** The default arrivals, in the notation of a scenario. */
export const DEFAULT_ARRIVALS = { poisson: { load: "80%" } } as const;
/** The default service time, in the notation of a scenario. */
export const DEFAULT_SERVICE = { exponential: { mean: "10ms" } } as const;

/** The default simulated time. With recorded arrivals, the default is the length of the recording. */
export const DEFAULT_DURATION: Nanoseconds = 60 * NS_PER_S;
/** The default number of replications. */
export const DEFAULT_REPLICATIONS = 10;

const BACKENDS_MAX = 10_000;
const MAX = Number.MAX_SAFE_INTEGER;

const backend = z.strictObject({
  ...backendKeys,
  address: address().optional().describe("not used in a simulation"),
  admin: address().optional().describe("not used in a simulation"),
});

/** The balancer's settings in a scenario: all keys of config.yaml, and none is required. */
const balancer = z.strictObject({
  ...configKeys,
  backends: z.union([
    integer(1, BACKENDS_MAX),
    z.array(backend).min(1, { error: () => "must name at least one backend" }),
  ]).meta({ description: "as in config.yaml; or a number: 100 means B1 … B100", examples: [3] }),
  sticky: orOff(configKeys.sticky),
  slow_start: orOff(configKeys.slow_start),
  ejection: orOff(configKeys.ejection),
  queue: orOff(configKeys.queue),
}).partial();

/**
 * In config.yaml a feature is off if its key is missing. A scenario may extend a file that has the key, so in a
 * scenario the value `off` switches the feature off.
 */
function orOff<S extends z.ZodType>(optional: z.ZodOptional<S>) {
  return z.union([optional.unwrap(), z.literal("off")]).describe("as in config.yaml, or: off");
}

const perSecond = {
  rate: rate().optional().describe("connections per second"),
  load: share({ max: 10_000, positive: true }).optional().describe(
    "instead of a rate: the work that arrives, as a share of the capacity of all backends except backups",
  ),
};

const needsRateOrLoad = rule(({ rate, load }, hasUnknownKey) => {
  if ((rate === undefined) !== (load === undefined)) return undefined;
  if (rate !== undefined) return { message: "rate and load: use only one of them" };
  return hasUnknownKey
    ? undefined
    : { message: "needs a rate or a load, like `rate: 800/s` or `load: 80%`" };
});

const arrivals = oneKeyOf({
  poisson: z.union([
    rate().transform((value) => ({ rate: value })),
    z.strictObject(perSecond).check(needsRateOrLoad),
  ]).describe("random arrivals, independent of each other: the gaps are exponential"),
  deterministic: z.union([
    rate().transform((value) => ({ rate: value })),
    z.strictObject(perSecond).check(needsRateOrLoad),
  ]).describe("arrivals at even intervals"),
  renewal: z.strictObject({ gap: durations().describe("time between two arrivals") })
    .describe("independent gaps with any distribution"),
  mmpp: z.strictObject({
    states: listOf(z.strictObject({
      rate: z.union([rate(), z.literal("none").transform(() => 0)])
        .describe("connections per second in this state; or: none"),
      stay: duration({ positive: true }).describe("mean of the exponential time in this state"),
    })).describe("the states in their order; after the last, the first begins again"),
  }).describe("Poisson arrivals with a rate that jumps between several states"),
  on_off: z.strictObject({
    rate: rate().describe("connections per second while on"),
    on: durations().describe("duration of an on phase"),
    off: durations().describe("duration of an off phase"),
  }).describe("Poisson arrivals with pauses"),
  diurnal: z.strictObject({
    ...perSecond,
    amplitude: share().describe("how far the rate rises and falls, as a share of the mean rate"),
    period: duration({ positive: true }).describe("duration of one cycle"),
    phase: number(-1, 1).default(0).describe(
      "position in the cycle at the start of the run, from 0 to 1; 0.75 is the lowest rate",
    ),
  }).check(needsRateOrLoad).describe(
    "Poisson arrivals with a rate that rises and falls like day and night",
  ),
  closed: z.strictObject({
    clients: count(1, 1_000_000).describe("the number of clients"),
    think: durations().describe("pause between an answer and the next connection"),
  }).describe("a fixed number of clients; each waits for its answer, pauses, and connects again"),
  trace: words("the path of a CSV file").describe(
    "a CSV file with a column `at` (seconds or a duration; clock times count from the first connection), and " +
      "optionally `client` (a number) or `address`, and `service`",
  ),
});

const workload = z.strictObject({
  arrivals: arrivals.prefault(DEFAULT_ARRIVALS).describe(
    "how connections come; {poisson: {load: 80%}} if left out",
  ),
  clients: z.strictObject({
    count: count(1, 10_000_000).default(1000).describe("the number of different clients"),
    zipf: numberFrom(0, 10).default(0)
      .describe("how unequal the clients' shares are: Zipf's exponent; 0 means equal"),
  }).prefault({}).describe("the clients that connect; matters for stickiness and hashing"),
  requests_per_connection: numbers(1, 1e6).prefault(1).describe(
    "the number of requests on each connection: a number or a distribution",
  ),
  think_time: durations().prefault("0s").describe("pause between two requests on a connection"),
  timeout: durationOr("none").prefault("none").describe(
    "how long a client waits for an answer, counted from when it begins to connect; or: none",
  ),
  retries: z.strictObject({
    max: integer(0, 1000).default(0).describe("the largest number of retries"),
    backoff: duration().prefault("100ms").describe("pause before the first retry"),
    multiplier: number(0, 100).default(2).describe(
      "each pause is this many times as long as the previous one",
    ),
    jitter: share().prefault("0%").describe(
      "each pause is shorter or longer at random, by at most this share",
    ),
  }).prefault({}).describe("how clients try again after an error or a timeout"),
});

/** The default behaviour of a backend. */
export const SERVER_DEFAULTS = z.strictObject(serverKeys).parse({});

const fault = z.strictObject({
  at: duration().describe("time at which the fault begins"),
  for: duration({ positive: true }).optional().describe(
    "duration of the fault; to the end of the run if left out",
  ),
  backend: z.union([words("a backend's id"), listOf(words("a backend's id"))]).optional()
    .describe("the backend, or a list of backends"),
  load_balancer: integer(1, 1000).optional().describe(
    "partition: only between the backend and this balancer; lb-restart: the balancer that restarts (1 if left out)",
  ),
  kind: z.union([
    z.enum(["crash", "hang", "pause", "partition", "lb-restart", "drain", "maintenance"]),
    faultsWithValues,
  ]).describe(
    "crash, hang, pause, partition, lb-restart, drain, maintenance; or {slow: 5}, " +
      "{fail-rate: 20%}, {fast-errors: 100%}, {gray: {rate: 30%, slow: 2}}, {flap: {period: 10s, down: 50%}}",
  ),
});

const change = z.strictObject({
  at: duration().describe("time from which the settings apply"),
  set: z.record(z.string(), z.unknown()).describe(
    "the new value of each setting; a path may name a backend by its id, like balancer.backends.B2.weight",
  ),
});

const texts = z.union([words("text"), z.array(words("text"))]);

/** The schema of a whole scenario file. */
export const scenarioSchema = z.strictObject({
  title: words("text").optional().describe("the title of the report"),
  watch: words("text").optional().describe("a text that tells the reader what to look at"),
  source: texts.optional().describe(
    "where the scenario comes from, like a paper or a web address: a text, or a list of texts",
  ),
  extends: words("the path of a config.yaml").optional().describe(
    "the path of a config.yaml, relative to this file; its settings apply here",
  ),
  balancer: balancer.optional().describe(
    "settings as in config.yaml; they override those of `extends`",
  ),
  seed: integer(0, MAX).default(1).describe("the same seed gives the same numbers"),
  duration: duration({ positive: true }).optional().describe(
    `the simulated time in which clients come; if left out, ${
      formatDuration(DEFAULT_DURATION)
    }, or ` +
      "the length of the trace",
  ),
  connections: count(1, 1e12).optional().describe(
    "instead of a duration: the number of connections after which clients stop coming",
  ),
  warmup: z.union([z.literal("auto"), duration()]).optional().describe(
    "requests that begin earlier are not measured; a tenth of the run if left out; auto: a pilot run determines it",
  ),
  replications: integer(1, 1_000_000).optional().describe(
    `independent runs, from which the intervals are computed; ${DEFAULT_REPLICATIONS} if left out`,
  ),
  precision: z.strictObject({
    metric: words("a metric").default("p99_ms").describe(
      "a metric as in `expect`, but not one of a single backend, like share(B1), and not a maximum",
    ),
    relative: share({ positive: true }).prefault("2%").describe(
      "half of the interval must be at most this share of the value",
    ),
    max_replications: integer(2, 1_000_000).default(200).describe(
      "the largest number of replications",
    ),
  }).optional().describe(
    "instead of replications: the simulator runs as many as this precision needs",
  ),
  workload: workload.prefault({}),
  service: durations().prefault(DEFAULT_SERVICE).describe(
    "service time of a request at speed 1; {exponential: {mean: 10ms}} if left out",
  ),
  servers: z.record(z.string(), z.strictObject(optionalKeys(serverKeys))).default({}).describe(
    "how backends behave, by id; `default` applies to all others",
  ),
  network: z.strictObject({
    latency: durations().optional().describe("the time that every message takes"),
    client_latency: durations().optional().describe("the same, only between client and balancer"),
    backend_latency: durations().optional().describe("the same, only between balancer and backend"),
  }).prefault({}).describe("the time that messages take; none if left out"),
  overheads: z.strictObject({
    connect: duration().optional().describe(
      "how long a connect takes until it is accepted: between client and balancer, and between balancer and backend",
    ),
    relay_connection: duration().optional().describe(
      "how long a new connection occupies the balancer's event loop",
    ),
    relay_request: duration().optional().describe(
      "how long a request and its answer occupy the balancer's event loop",
    ),
  }).optional().describe(
    "the time that real sockets add, as `lbsim calibrate` measures it; none if left out. lbsim live ignores it",
  ),
  hash_placement: z.enum(["redrawn", "fixed"]).default("redrawn").describe(
    "how source-hash, ring-hash and maglev place clients. redrawn: differently in every replication, as if backends " +
      "and clients had other names. fixed: as the live balancer does",
  ),
  load_balancers: integer(1, 1000).default(1).describe(
    "the number of balancers; each sees only its own connections",
  ),
  idle_reports: flag().default(false).describe(
    "for join-idle-queue: a backend that becomes idle reports it to one balancer, drawn at random",
  ),
  faults: z.array(fault).default([]).describe("what goes wrong, and when"),
  changes: z.array(change).default([]).describe(
    "settings of `balancer`, `workload`, `service`, `servers` and `network` that change during the run, and when",
  ),
  compare: z.record(
    z.string(),
    listOf(z.unknown()),
  ).optional().describe(
    "for each setting a list of values; each combination of values is a variant",
  ),
  expect: z.array(words("text like p99_ms < 80")).default([]).describe(
    "conditions that must hold; the exit code is 1 if one does not",
  ),
});

/** A parsed scenario file, with defaults filled in. */
export type ScenarioFile = z.output<typeof scenarioSchema>;
