import { type Nanoseconds, NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import type { Histogram } from "../../lib/stats/mod.ts";
import { type ErrorKind, ERRORS, type Payload, SHORTAGES, type Tally } from "../core/mod.ts";

/** The facts about a run. */
export interface RunFacts {
  readonly lbsim: string;
  /** The address, as the user wrote it. */
  readonly target: string;
  /** The load in words. */
  readonly load: string;
  /** Whether the load is a closed loop, in which requests have no planned start. */
  readonly isClosed: boolean;
  readonly payload: Pick<Payload, "kind" | "size">;
  readonly seed: number;
  /** For how long requests began. */
  readonly length: Nanoseconds;
  readonly isInterrupted: boolean;
  /** The processor time of the generator during the run, in units of one processor. */
  readonly processors: number;
}

/** The percentiles that are reported, with their names in JSON. */
export const PERCENTILES = [
  ["p50", 0.5],
  ["p75", 0.75],
  ["p90", 0.9],
  ["p99", 0.99],
  ["p99_9", 0.999],
  ["p99_99", 0.9999],
] as const;

/** A distribution of times in milliseconds; a number is null if nothing was recorded. */
export type Distribution = Readonly<
  Record<"mean" | "min" | typeof PERCENTILES[number][0] | "max", number | null>
>;

/** Times in milliseconds, counted in buckets. */
export interface Bucket {
  readonly from_ms: number;
  readonly to_ms: number;
  readonly count: number;
}

/** The result of a run. `--json` prints it in this form. */
export type BenchResult = ReturnType<typeof resultOf>;

/**
 * The generator was the limit if one of 100 requests began later than `LAG_LIMIT`, and later than `LAG_SHARE_LIMIT` of
 * p99.
 */
const LAG_LIMIT: Nanoseconds = NS_PER_MS;
const LAG_SHARE_LIMIT = 0.1;
/** A closed loop that uses more of a processor than this is limited by it. */
const PROCESSORS_LIMIT = 0.9;

/** The result of a run. */
export function resultOf(facts: RunFacts, tally: Tally) {
  const { lbsim, target, load, isClosed, payload, seed, length, isInterrupted, processors } = facts;
  const { answers } = tally;
  const seconds = length / NS_PER_S;
  // Ctrl-C may come before the first request.
  const perSecond = (count: number) => seconds === 0 ? 0 : count / seconds;
  const named = tally.byBackend.reduce((sum, count) => sum + count, 0);
  return {
    lbsim,
    target,
    load,
    loop: isClosed ? "closed" as const : "open" as const,
    payload: payload.kind,
    request_bytes: payload.size,
    seed,
    duration_s: seconds,
    interrupted: isInterrupted,
    offered: tally.offered,
    sent: tally.sent,
    answers,
    errors: tally.errorCount,
    unfinished: tally.unfinished,
    errors_by_kind: Object.fromEntries(tally.errors) as Partial<Record<ErrorKind, number>>,
    offered_per_s: perSecond(tally.offered),
    answers_per_s: perSecond(answers),
    connections_opened: tally.connections,
    bytes_sent: tally.bytesSent,
    bytes_received: tally.bytesReceived,
    latency_ms: {
      corrected: distributionOf(tally.corrected),
      uncorrected: distributionOf(tally.uncorrected),
    },
    lag_ms: distributionOf(tally.lag),
    processors,
    generator_was_the_limit: limitOf(facts, tally) !== undefined,
    warnings: warningsOf(facts, tally),
    backends: [...tally.byBackend.entries()]
      .map(([number, count = 0]) => ({
        id: tally.names.names[number]!,
        answers: count,
        share: count / named,
      }))
      .toSorted((a, b) => a.id.localeCompare(b.id, "en", { numeric: true })),
    latency_histogram: bucketsOf(tally.corrected),
    lag_histogram: bucketsOf(tally.lag),
  };
}

function distributionOf(histogram: Histogram): Distribution {
  const isEmpty = histogram.count === 0;
  const ms = (value: Nanoseconds) => isEmpty ? null : value / NS_PER_MS;
  const percentiles = PERCENTILES.map(([name, share]) => [name, ms(histogram.quantile(share))]);
  return {
    mean: ms(histogram.mean),
    min: ms(histogram.min),
    ...Object.fromEntries(percentiles),
    max: ms(histogram.max),
  } as Distribution;
}

/** Buckets from 1, 2 and 5 to the next power of ten: few enough to be drawn. */
function bucketsOf(histogram: Histogram): Bucket[] {
  const buckets: Bucket[] = [];
  if (histogram.count === 0) return buckets;
  let from = 0;
  let above = histogram.count;
  for (const edge of edges()) {
    const left = Math.round(histogram.countAbove(edge * NS_PER_MS));
    const count = above - left;
    if (count > 0 || buckets.length > 0) buckets.push({ from_ms: from, to_ms: edge, count });
    if (left === 0) break;
    from = edge;
    above = left;
  }
  return buckets;
}

/** 0.001, 0.002, 0.005, 0.01 … in milliseconds. */
function* edges(): Generator<number> {
  for (let exponent = -3; exponent <= 9; exponent++) {
    for (const digit of [1, 2, 5]) yield Number(`${digit}e${exponent}`);
  }
}

/** Why the generator, and not the server, was the limit; undefined if it was not. */
function limitOf({ isClosed, processors }: RunFacts, { lag, corrected }: Tally) {
  if (isClosed) {
    if (processors < PROCESSORS_LIMIT) return undefined;
    return `it used ${(100 * processors).toFixed(0)} % of a processor, so it cannot send more`;
  }
  const late = lag.count === 0 ? 0 : lag.quantile(0.99);
  const isLate = late > LAG_LIMIT &&
    (corrected.count === 0 || late > LAG_SHARE_LIMIT * corrected.quantile(0.99));
  if (!isLate) return undefined;
  return `one request in a hundred began ${
    ms(late)
  } late or more, and this delay is part of its latency`;
}

function ms(value: Nanoseconds): string {
  const size = value / NS_PER_MS;
  return `${size >= 100 ? size.toFixed(0) : size >= 10 ? size.toFixed(1) : size.toFixed(2)} ms`;
}

function warningsOf(facts: RunFacts, tally: Tally): string[] {
  const limit = limitOf(facts, tally);
  const shortages = [...tally.errors].filter(([kind]) => SHORTAGES.has(kind));
  const closed = tally.errors.get("closed") ?? 0;
  const endsConnections = closed > 0.2 * tally.answers && tally.answers > 0;
  return [
    ...limit === undefined ? [] : [`the generator was the limit: ${limit}`],
    ...shortages.map(([kind, count]) => `${count} requests failed because of ${ERRORS[kind]}`),
    ...endsConnections
      ? [
        "the server closes connections after an answer, while the next request is on its way; " +
        "--requests-per-connection 1 opens a connection for each request",
      ]
      : [],
    ...tally.unfinished > 0
      ? [`${tally.unfinished} requests had no answer yet when the run was ended`]
      : [],
  ];
}
