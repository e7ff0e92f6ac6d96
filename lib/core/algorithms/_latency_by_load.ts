import type { Nanoseconds } from "../../base/mod.ts";
import { extended } from "./_extended.ts";

/** Loads below this have a level each, those above two for each doubling. */
const EXACT_MAX = 8;
/** Loads beyond the highest level share it. */
const LEVELS = 40;
/** A level is a few numbers in a row: its median, when it was last observed, and how often. */
const FIELDS = 3;
const OBSERVED_AT = 1;
const COUNT = 2;
/** The factors by which a median moves at most: with its first latency, the second, … and all from the last on. */
const STEPS = Float64Array.from({ length: 15 }, (_, count) => 1 + 1 / (count + 2));

/** For how long an answer was waited for in vain since the last that came, and when that ended; 0 if not at all. */
const SILENCE = LEVELS * FIELDS;
const SILENT_AT = SILENCE + 1;
/** A curve is its levels in a row and its silence. The curves are in a row: that of all first. */
const CURVE = LEVELS * FIELDS + 2;
const COMMON = 0;

type Numbers = Float64Array<ArrayBuffer>;

/**
 * How long answers take, by how many other connections the backend had in flight when it was picked: one
 * curve for each index, and one of all together.
 *
 * Rule: a level is the running median of the latencies at its load. A latency moves it towards itself, by at
 * most a half of the level, then a third … and at last a sixteenth. The estimate for a load is the level of
 * the index. If that has not been observed for `life`, it is the nearest level that has, times the ratio of
 * both loads on the curve of all; if none has, it is the curve of all: so a backend that was slow is tried
 * again. A wait without an answer is the least that is estimated, until an answer comes or `life` has
 * passed. Above the highest load that was ever observed, the curve of all grows in proportion to load: a
 * backend on which connections pile up is not taken to be as quick as ever.
 *
 * Source: B. Wydrowski et al., "Load is not what you should balance: introducing Prequal", NSDI 2024,
 * section 4.
 */
export class LatencyByLoad {
  readonly #life: Nanoseconds;
  #levels = new Float64Array(curveOf(0));
  /** The highest level that was ever observed. */
  #top = 0;

  /** @param life For how long a latency is of use. */
  constructor(life: Nanoseconds) {
    this.#life = life;
    this.#clear(COMMON);
  }

  /** Begins anew, with nothing observed. */
  reset(index: number): void {
    const curve = curveOf(index);
    if (curve >= this.#levels.length) this.#levels = extended(this.#levels, 2 * curve + 8 * CURVE);
    this.#clear(curve);
  }

  /** An answer came. */
  observe(index: number, latency: Nanoseconds, load: number, now: Nanoseconds): void {
    const levels = this.#levels;
    const level = levelOf(load);
    const curve = curveOf(index);
    const at = curve + level * FIELDS;
    levels[curve + SILENCE] = 0;
    if (levels[at + OBSERVED_AT]! <= now - this.#life) {
      // A single latency says little: it begins where it is expected.
      levels[at] = this.#unobserved(curve, level, now) || latency;
      levels[at + COUNT] = 0;
    }
    move(levels, at, latency, now);
    const common = COMMON + level * FIELDS;
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

  /** What an answer would take at a load; 0 if nothing is known of any index. */
  estimate(index: number, load: number, now: Nanoseconds): Nanoseconds {
    const levels = this.#levels;
    const level = levelOf(load);
    const curve = curveOf(index);
    const at = curve + level * FIELDS;
    const isKnown = levels[at + OBSERVED_AT]! > now - this.#life;
    const estimate = isKnown ? levels[at]! : this.#unobserved(curve, level, now);
    const silence = levels[curve + SILENCE]!;
    if (silence <= estimate || now - levels[curve + SILENT_AT]! >= this.#life) return estimate;
    return silence;
  }

  /** The estimate for a level whose last observation is too old. */
  #unobserved(curve: number, level: number, now: Nanoseconds): Nanoseconds {
    const known = this.#nearest(curve, level, now - this.#life);
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

  /** What a level's latency is to that of others: the curve of all, or the load if that is empty. */
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

/** Where the curve of an index begins. */
function curveOf(index: number): number {
  return (index + 1) * CURVE;
}

/** Adds a latency to a level. */
function move(levels: Numbers, at: number, latency: Nanoseconds, now: Nanoseconds): void {
  const count = levels[at + COUNT]!;
  const step = STEPS[count]!;
  levels[at + COUNT] = Math.min(count + 1, STEPS.length - 1);
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
