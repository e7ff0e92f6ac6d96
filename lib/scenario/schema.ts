/**
 * What a scenario file may say. Validation, the JSON Schema for editors and the reference in
 * docs/scenarios.md are all made from this.
 */
import * as z from "zod";
import {
  address,
  configSchema,
  duration,
  flag,
  integer,
  rate,
  share,
  words,
} from "../config/mod.ts";
import { NS_PER_MS } from "../base/mod.ts";
import {
  count,
  countOr,
  durationOr,
  durations,
  hasUnknownKey,
  listOf,
  number,
  numberFrom,
  numbers,
  oneKeyOf,
} from "./scalars.ts";

/** What is simulated where a file is silent, as it would be written. */
export const DEFAULT_ARRIVALS = { poisson: { load: "80%" } } as const;
/** How long requests take where a file is silent, as it would be written. */
export const DEFAULT_SERVICE = { exponential: { mean: "10ms" } } as const;

const BACKENDS_MAX = 10_000;
const MAX = Number.MAX_SAFE_INTEGER;

/** The period of a flap. */
const RESTARTED = {
  least: { value: NS_PER_MS, because: "no process ends and starts again in less" },
};

const backend = configSchema.shape.backends.element.extend({
  address: address().optional().describe("not used in a simulation"),
});

/** The balancer's settings as they may be written in a scenario: any of config.yaml's, none needed. */
const balancer = configSchema.extend({
  backends: z.union([
    integer(1, BACKENDS_MAX),
    z.array(backend).min(1, { error: () => "must name at least one backend" }),
  ]).meta({ description: "a number for short: 100 stands for B1 … B100", examples: [3] }),
  sticky: orOff(configSchema.shape.sticky),
  slow_start: orOff(configSchema.shape.slow_start),
  ejection: orOff(configSchema.shape.ejection),
  queue: orOff(configSchema.shape.queue),
}).partial();

/** What config.yaml leaves out to switch it off has to be written here: there may be one to extend. */
function orOff<S extends z.ZodType>(optional: z.ZodOptional<S>) {
  return z.union([optional.unwrap(), z.literal("off")]).describe("as in config.yaml, or: off");
}

const perSecond = {
  rate: rate().optional().describe("connections per second"),
  load: share({ max: 10_000, positive: true }).optional().describe(
    "instead of a rate: the work they bring, as a share of what all backends but backups can do",
  ),
};

function needsRateOrLoad(
  value: { rate?: number | undefined; load?: number | undefined },
  context: z.RefinementCtx,
): void {
  if ((value.rate === undefined) !== (value.load === undefined)) return;
  if (value.rate === undefined && hasUnknownKey(context)) return;
  context.addIssue({
    code: "custom",
    message: value.rate === undefined
      ? "say how many: `rate: 800/s`, or `load: 80%`"
      : "rate and load: only one of them",
  });
}

const arrivals = oneKeyOf({
  poisson: z.union([
    rate().transform((value) => ({ rate: value })),
    z.strictObject(perSecond).superRefine(needsRateOrLoad),
  ]).describe("independent of each other: the gaps are exponential"),
  deterministic: z.union([
    rate().transform((value) => ({ rate: value })),
    z.strictObject(perSecond).superRefine(needsRateOrLoad),
  ]).describe("evenly spaced"),
  renewal: z.strictObject({ gap: durations().describe("between two arrivals") })
    .describe("independent gaps of any law"),
  mmpp: z.strictObject({
    states: listOf(z.strictObject({
      rate: z.union([rate(), z.literal("none").transform(() => 0)])
        .describe("in this state; or: none"),
      stay: duration({ positive: true }).describe("mean of the exponential time in this state"),
    })).describe("one after the other, the first after the last"),
  }).describe("Poisson with a rate that jumps"),
  on_off: z.strictObject({
    rate: rate().describe("while on"),
    on: durations().describe("how long on"),
    off: durations().describe("how long off"),
  }).describe("Poisson, with pauses"),
  diurnal: z.strictObject({
    ...perSecond,
    amplitude: share().describe("how far the rate swings, as a share of it"),
    period: duration({ positive: true }).describe("of one swing"),
    phase: number(-1, 1).default(0).describe("where it begins, in turns; 0.75 is the low"),
  }).superRefine(needsRateOrLoad).describe("Poisson with a rate that swings like day and night"),
  closed: z.strictObject({
    clients: count(1, 1_000_000).describe("how many there are"),
    think: durations().describe("between an answer and the next connection"),
  }).describe("a fixed number of clients, each waits for its answer before it comes again"),
  trace: words("the path of a CSV file").describe(
    "a CSV file with a column `at` (a duration or seconds; a clock's count from the first), and " +
      "`client` and `service` if known",
  ),
});

const workload = z.strictObject({
  arrivals: arrivals.prefault(DEFAULT_ARRIVALS).describe(
    "how connections come; {poisson: {load: 80%}} if left out",
  ),
  clients: z.strictObject({
    count: count(1, 10_000_000).default(1000).describe("how many different ones"),
    zipf: numberFrom(0, 10).default(0)
      .describe("how unequal: Zipf's exponent; 0 is equal"),
  }).prefault({}).describe("who connects: drives stickiness and hashing"),
  requests_per_connection: numbers(1, 1e6).prefault(1).describe("how many, or a distribution"),
  think_time: durations().prefault("0s").describe("between requests on one connection"),
  timeout: durationOr("none").prefault("none").describe(
    "how long a client waits for an answer, counted from when it begins to connect; or: none",
  ),
  retries: z.strictObject({
    max: integer(0, 1000).default(0).describe("how often it tries again"),
    backoff: duration().prefault("100ms").describe("before the first retry"),
    multiplier: number(0, 100).default(2).describe("by which each pause is longer than the last"),
    jitter: share().prefault("0%").describe("by how much each pause is drawn shorter or longer"),
  }).prefault({}).describe("what a client does that was let down"),
});

const server = z.strictObject({
  slots: countOr("unlimited", 1).default(1).describe("requests served at a time; or: unlimited"),
  queue: countOr("unlimited", 0).prefault("unlimited").describe(
    "how many more may wait; the next are refused; or: unlimited",
  ),
  speed: number(0, 1e6).default(1).describe("work done per unit of time, per slot"),
  discipline: z.enum(["fifo", "processor-sharing"]).default("fifo").describe(
    "fifo: one after the other; processor-sharing: all at once, each with its share",
  ),
  abandoned: z.enum(["serve", "drop"]).default("serve").describe(
    "what becomes of a request whose client has left: served in vain, or dropped",
  ),
});

const kinds = oneKeyOf({
  slow: number(0, 1e6).describe("everything takes so many times as long"),
  "fail-rate": share({ positive: true }).describe("this share of requests ends in an error"),
  "fast-errors": share({ positive: true }).describe("this share of requests fails at once"),
  gray: z.strictObject({
    rate: share().prefault("0%").describe("share of requests that end in an error"),
    slow: number(0, 1e6).default(1).describe("everything takes so many times as long"),
  }).describe("probes pass, requests suffer"),
  flap: z.strictObject({
    period: duration(RESTARTED).describe("of one crash and return"),
    down: share().prefault("50%").describe("share of the period for which it is down"),
  }).describe("crashes and comes back, over and over"),
});

const fault = z.strictObject({
  at: duration().describe("when it begins"),
  for: duration({ positive: true }).optional().describe("how long; to the end if left out"),
  backend: z.union([words("a backend's id"), listOf(words("a backend's id"))]).optional()
    .describe("which, or a list of them"),
  load_balancer: integer(1, 1000).optional().describe(
    "partition: cut off from this balancer only; lb-restart: which (1)",
  ),
  kind: z.union([
    z.enum(["crash", "hang", "pause", "partition", "lb-restart", "drain", "maintenance"]),
    kinds,
  ]).describe(
    "crash, hang, pause, partition, lb-restart, drain, maintenance; or {slow: 5}, " +
      "{fail-rate: 20%}, {fast-errors: 100%}, {gray: {rate: 30%, slow: 2}}, {flap: {period: 10s, down: 50%}}",
  ),
});

const texts = z.union([words("text"), z.array(words("text"))]);

/** The whole of a scenario file. */
export const scenarioSchema = z.strictObject({
  title: words("text").optional().describe("what it is about"),
  watch: words("text").optional().describe("what to look at"),
  source: texts.optional().describe("where it comes from"),
  extends: words("the path of a config.yaml").optional().describe(
    "a live balancer's file, which is taken as it is; its path is relative to this file",
  ),
  balancer: balancer.optional().describe("settings as in config.yaml; they win over its"),
  seed: integer(0, MAX).default(1).describe("the same seed gives the same numbers"),
  duration: duration({ positive: true }).optional().describe(
    "simulated time; if left out, 1m, or all of the trace",
  ),
  connections: count(1, 1e12).optional().describe("instead of a duration: end after so many"),
  warmup: z.union([z.literal("auto"), duration()]).optional().describe(
    "what begins earlier is not measured; a tenth of the run if left out; auto: found by a pilot run",
  ),
  replications: integer(1, 1_000_000).optional().describe(
    "independent repetitions, from which the intervals are made; 10 if left out",
  ),
  precision: z.strictObject({
    metric: words("a metric").default("p99_ms").describe("of a whole run, as in `expect`"),
    relative: share({ positive: true }).prefault("2%").describe(
      "half of the interval, as a share of the value",
    ),
    max_replications: integer(2, 1_000_000).default(200).describe("and no more than so many"),
  }).optional().describe("instead of replications: as many as it takes"),
  workload: workload.prefault({}),
  service: durations().prefault(DEFAULT_SERVICE).describe(
    "time that a request takes at speed 1; {exponential: {mean: 10ms}} if left out",
  ),
  servers: z.record(z.string(), server.partial()).default({}).describe(
    "how backends behave, by id; `default` is for those not named",
  ),
  network: z.strictObject({
    latency: durations().optional().describe("of every message, one way"),
    client_latency: durations().optional().describe("between client and balancer"),
    backend_latency: durations().optional().describe("between balancer and backend"),
  }).prefault({}).describe("how long messages take; no time if left out"),
  hash_placement: z.enum(["redrawn", "fixed"]).default("redrawn").describe(
    "of clients by source-hash, ring-hash and maglev: redrawn in every replication, as if backends " +
      "and clients had other names; fixed: as the live balancer places them",
  ),
  load_balancers: integer(1, 1000).default(1).describe("how many, each with its own view"),
  idle_reports: flag().default(false).describe(
    "a backend that becomes idle reports it to one balancer, drawn at random, for join-idle-queue",
  ),
  faults: z.array(fault).default([]).describe("what goes wrong, and when"),
  compare: z.record(
    z.string(),
    listOf(z.unknown()),
  ).optional().describe("variants: every combination of these settings"),
  expect: z.array(words("text like p99_ms < 80")).default([]).describe(
    "what must hold; the exit code is 1 when one does not",
  ),
});

/** The keys under which a server's behaviour is described. */
export const serverSchema = server;

/** A scenario file as it was written, with defaults filled in. */
export type ScenarioFile = z.output<typeof scenarioSchema>;
