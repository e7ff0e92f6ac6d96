import type { Nanoseconds } from "../../base/mod.ts";
import { extended } from "./_extended.ts";

/** Each load below this has a level of its own; above it, there are two levels for each doubling. */
const EXACT_MAX = 8;
/** The number of levels. All loads above the highest level share it. */
const LEVELS = 40;
/**
 * A level is three numbers in a row: its median, the time of its latest observation, and the number of observations.
 */
const FIELDS = 3;
const OBSERVED_AT = 1;
const COUNT = 2;
/**
 * The factors by which a median moves at most: for the first latency, the second, and so on; the last factor is used
 * for all later ones.
 */
const STEPS = Float64Array.from({ length: 15 }, (_, count) => 1 + 1 / (count + 2));

const LAST = STEPS.length - 1;

/**
 * The longest wait without an answer since the latest answer, and the time at which this wait ended; 0 if there was
 * none.
 */
const SILENCE = LEVELS * FIELDS;
const SILENT_AT = SILENCE + 1;
/**
 * The length of a curve: its levels in a row, and its silence. The curves are in a row, too; the first is that of all
 * backends.
 */
const CURVE = LEVELS * FIELDS + 2;
const COMMON = 0;

type Numbers = Float64Array<ArrayBuffer>;

/**
 * How long answers take, by the number of other connections that the backend had in flight when it was picked. There
 * is one curve for each index, and one for all together.
 *
 * Rule: a level is the running median of the latencies at its load. A latency moves the level towards this latency,
 * by at most a half of the level, then a third, and so on, and finally a sixteenth. The estimate for a load is the
 * level of the index. If that level has not been observed for `life`, the estimate is the nearest level that has,
 * times the ratio of both loads on the curve of all. If no level has, it is the curve of all. So a backend that was
 * slow is tried again. After a wait without an answer, no estimate is shorter than this wait, until an answer comes
 * or `life` has passed. Above the highest load that was ever observed, the curve of all grows in proportion to load.
 * So a backend whose connections accumulate is not considered as fast as before.
 *
 * Source: B. Wydrowski et al., "Load is not what you should balance: introducing Prequal", NSDI 2024, section 4.
 */
export class LatencyByLoad {
  readonly #life: Nanoseconds;
  #levels = new Float64Array(curveOf(0));
  /** What was observed at this time or before is not used any more. */
  #oldest: Nanoseconds = -Infinity;
  /** The highest level that was ever observed. */
  #top = 0;

  /** @param life How long a latency is used. */
  constructor(life: Nanoseconds) {
    this.#life = life;
    this.#clear(COMMON);
  }

  /** Sets the time of the estimates that follow. */
  advance(now: Nanoseconds): void {
    this.#oldest = now - this.#life;
  }

  /** Resets an index: it has no observation. */
  reset(index: number): void {
    const curve = curveOf(index);
    if (curve >= this.#levels.length) this.#levels = extended(this.#levels, 2 * curve + 8 * CURVE);
    this.#clear(curve);
  }

  /** An answer came. */
  observe(index: number, latency: Nanoseconds, load: number, now: Nanoseconds): void {
    this.advance(now);
    const levels = this.#levels;
    const level = levelOf(load);
    const curve = curveOf(index);
    const at = curve + Math.imul(level, FIELDS);
    levels[curve + SILENCE] = 0;
    if (levels[at + OBSERVED_AT]! <= this.#oldest) {
      // A single latency says little: it begins where it is expected.
      levels[at] = this.#unobserved(curve, level) || latency;
      levels[at + COUNT] = 0;
    }
    move(levels, at, latency, now);
    const common = COMMON + Math.imul(level, FIELDS);
    if (levels[common + COUNT] === 0) levels[common] = latency;
    move(levels, common, latency, now);
    if (level > this.#top) this.#top = level;
  }

  /** No answer came for this time. Until the next answer, no estimate for this backend is shorter than this time. */
  observeSilence(index: number, waited: Nanoseconds, now: Nanoseconds): void {
    const curve = curveOf(index);
    this.#levels[curve + SILENCE] = waited;
    this.#levels[curve + SILENT_AT] = now;
  }

  /** The estimated latency of an answer at a load; 0 if nothing is known of any index. */
  estimate(index: number, load: number): Nanoseconds {
    const levels = this.#levels;
    const oldest = this.#oldest;
    const level = levelOf(load);
    const curve = curveOf(index);
    const at = curve + Math.imul(level, FIELDS);
    const isKnown = levels[at + OBSERVED_AT]! > oldest;
    // The plus says that a call returns a number. Otherwise the compiler makes an object of each estimate.
    const estimate = isKnown ? levels[at]! : +this.#unobserved(curve, level);
    const silence = levels[curve + SILENCE]!;
    if (silence <= estimate || levels[curve + SILENT_AT]! <= oldest) return estimate;
    return silence;
  }

  /** The estimate for a level whose last observation is too old. */
  #unobserved(curve: number, level: number): Nanoseconds {
    const known = this.#nearest(curve, level, this.#oldest);
    if (known === -1) return this.#usual(level);
    return this.#levels[curve + known * FIELDS]! * (this.#growth(level) / this.#growth(known));
  }

  /** The latency by the curve of all backends; 0 if it is empty. */
  #usual(level: number): Nanoseconds {
    const nearest = this.#nearest(COMMON, level, -Infinity);
    if (nearest === -1) return 0;
    const beyond = level > this.#top ? (loadOf(level) + 1) / (loadOf(nearest) + 1) : 1;
    return this.#levels[COMMON + nearest * FIELDS]! * beyond;
  }

  /** How the latency grows with the level: the curve of all, or the load if that curve is empty. */
  #growth(level: number): number {
    return this.#usual(level) || loadOf(level) + 1;
  }

  /** The nearest level newer than `oldest`, of equally near ones the lower; −1 if there is none. */
  #nearest(curve: number, level: number, oldest: Nanoseconds): number {
    const levels = this.#levels;
    const reach = Math.max(level, this.#top - level);
    for (let distance = 0; distance <= reach; distance++) {
      const below = level - distance;
      if (below >= 0 && levels[curve + below * FIELDS + OBSERVED_AT]! > oldest) return below;
      const above = level + distance;
      if (above < LEVELS && levels[curve + above * FIELDS + OBSERVED_AT]! > oldest) return above;
    }
    return -1;
  }

  #clear(curve: number): void {
    this.#levels.fill(0, curve, curve + CURVE);
    for (let at = curve; at < curve + SILENCE; at += FIELDS) {
      this.#levels[at + OBSERVED_AT] = -Infinity;
    }
  }
}

/** Where the curve of an index begins. A place is computed with integers only: with doubles it takes twice as long. */
function curveOf(index: number): number {
  return Math.imul(index + 1, CURVE);
}

/** Adds a latency to a level. */
function move(levels: Numbers, at: number, latency: Nanoseconds, now: Nanoseconds): void {
  const count = levels[at + COUNT]! | 0;
  const step = STEPS[count]!;
  if (count < LAST) levels[at + COUNT] = count + 1;
  levels[at + OBSERVED_AT] = now;
  const median = levels[at]!;
  levels[at] = latency > median
    ? Math.min(latency, median * step)
    : Math.max(latency, median / step);
}

/** The least load of a level. */
function loadOf(level: number): number {
  if (level < EXACT_MAX) return level;
  return (2 + (level & 1)) << ((level >> 1) - 2);
}

function levelOf(load: number): number {
  if (load < EXACT_MAX) return load;
  const doublings = 31 - Math.clz32(load);
  return Math.min(LEVELS - 1, 2 * doublings + 2 + (load >> (doublings - 1) & 1));
}
