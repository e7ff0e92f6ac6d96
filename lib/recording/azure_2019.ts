import { childSeed, createRandom, type Random } from "../base/mod.ts";
import type { TrafficReader, TrafficRow } from "./traffic.ts";

const MINUTE_MS = 60_000;
/** The number of minutes of a table, which covers a day. */
const MINUTES = 24 * 60;
/**
 * The largest number of invocations of a function in a minute. A larger number is damaged, and drawing its
 * invocations would take hours.
 */
const COUNT_MAX = 10_000_000;
const DURATION_MS_MAX = 24 * 60 * MINUTE_MS;
/** The percentiles of a duration that the data has. */
const PERCENTILES = [0, 1, 25, 50, 75, 99, 100];

/** The durations of each function, by owner, application and function: one value for each percentile. */
export type Durations = ReadonlyMap<string, readonly number[]>;

/**
 * The duration of a function's invocations, from a line of `function_durations_percentiles…csv`. Undefined: the line
 * is not understood; it may be the header.
 */
export function durationsOf(
  line: string,
): readonly [key: string, values: readonly number[]] | undefined {
  const [owner, app, func, , , , , ...percentiles] = line.trim().split(",");
  const values = percentiles.map((text) => text.trim() === "" ? NaN : Number(text));
  const isRight = values.length === PERCENTILES.length &&
    values.every((value) => value >= 0 && value <= DURATION_MS_MAX);
  return isRight ? [`${owner},${app},${func}`, values] : undefined;
}

/**
 * The Azure Functions data of 2019: the number of invocations of each function in each minute of a day, and the
 * percentiles of their durations. Single invocations are drawn from this data: their times are uniform in their minute,
 * and their durations follow the percentiles, with linear interpolation between them.
 *
 * Source: AzureFunctionsDataset2019.md in Azure/AzurePublicDataset; Shahrad et al., USENIX ATC 2020.
 */
export class Azure2019 implements TrafficReader {
  readonly origin = "azure-2019";
  readonly #durations: Durations;
  readonly #seed: number;
  #unknown = 0;

  constructor(durations: Durations, seed: number) {
    this.#durations = durations;
    this.#seed = seed;
  }

  get assumptions(): readonly string[] {
    return [
      `the data has no single invocations: they are drawn with seed ${this.#seed}, uniform in their ` +
      "minute, with durations between the percentiles of their function",
      "an application is a client, and each invocation is a connection of it",
      ...this.#unknown === 0 ? [] : [
        `${this.#unknown} functions have no durations: the durations of other connections are used`,
      ],
    ];
  }

  rows(line: string): Iterable<TrafficRow> | undefined {
    const [owner, app, func, trigger, ...counts] = line.trim().split(",");
    // If several tables were put together, the header comes again.
    if (owner === "HashOwner") return [];
    if (!app || func === undefined || trigger === undefined) return undefined;
    if (counts.length === 0 || counts.length > MINUTES || !counts.every(isCount)) return undefined;
    const key = `${owner},${app},${func}`;
    const durations = this.#durations.get(key);
    if (durations === undefined) this.#unknown++;
    const random = createRandom(childSeed(this.#seed, "azure-2019", key));
    return invocations(app, counts, durations, random);
  }
}

function isCount(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= COUNT_MAX;
}

function* invocations(
  client: string,
  counts: readonly string[],
  durations: readonly number[] | undefined,
  random: Random,
): Generator<TrafficRow> {
  for (const [minute, count] of counts.entries()) {
    for (let i = Number(count); i > 0; i--) {
      const at = (minute + random.next()) * MINUTE_MS;
      const draw = random.next();
      yield { at, client, service: durations && drawn(durations, draw) };
    }
  }
}

/** The value at a share of all values, from 0 to 1. */
function drawn(values: readonly number[], share: number): number {
  const percent = 100 * share;
  const above = PERCENTILES.findIndex((percentile, i) => i > 0 && percent <= percentile);
  const [low, high] = [PERCENTILES[above - 1]!, PERCENTILES[above]!];
  const [from, to] = [values[above - 1]!, values[above]!];
  return from + (to - from) * (percent - low) / (high - low);
}
