import type { Nanoseconds } from "../time.ts";

/** Loads below this have a level each, those above two for each doubling. */
const EXACT_MAX = 8;
/** Loads beyond the highest level share it. */
const LEVELS = 40;
/** A level is a few numbers in a row: its median, when it was last observed, and how often. */
const FIELDS = 3;
const OBSERVED_AT = 1;
const COUNT = 2;
/** At last a median moves by at most this part of itself with each latency. */
const STEPS = 16;

type Curve = Float64Array;

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
  readonly #curves: Curve[] = [];
  readonly #common = newCurve();
  /** By index: for how long an answer was waited for in vain since the last that came; 0 if not at all. */
  readonly #silences: Nanoseconds[] = [];
  readonly #silentAt: Nanoseconds[] = [];
  /** The highest level that was ever observed. */
  #top = 0;

  /** @param life For how long a latency is of use. */
  constructor(life: Nanoseconds) {
    this.#life = life;
  }

  /** Begins anew, with nothing observed. */
  reset(index: number): void {
    while (this.#curves.length <= index) this.#curves.push(newCurve());
    clear(this.#curves[index]!);
    this.#silences[index] = 0;
    this.#silentAt[index] = 0;
  }

  /** An answer came. */
  observe(index: number, latency: Nanoseconds, load: number, now: Nanoseconds): void {
    const level = levelOf(load);
    const curve = this.#curves[index]!;
    const at = level * FIELDS;
    this.#silences[index] = 0;
    if (curve[at + OBSERVED_AT]! <= now - this.#life) {
      // A single latency says little: it begins where it is expected.
      curve[at] = this.#estimate(curve, level, now) || latency;
      curve[at + COUNT] = 0;
    }
    move(curve, at, latency, now);
    const common = this.#common;
    if (common[at + COUNT] === 0) common[at] = latency;
    move(common, at, latency, now);
    if (level > this.#top) this.#top = level;
  }

  /** No answer came for so long: until one does, it is not quicker at any load. */
  observeSilence(index: number, waited: Nanoseconds, now: Nanoseconds): void {
    this.#silences[index] = waited;
    this.#silentAt[index] = now;
  }

  /** What an answer would take at a load; 0 if nothing is known of any index. */
  estimate(index: number, load: number, now: Nanoseconds): Nanoseconds {
    const estimate = this.#estimate(this.#curves[index]!, levelOf(load), now);
    const silence = this.#silences[index]!;
    if (silence <= estimate || now - this.#silentAt[index]! >= this.#life) return estimate;
    return silence;
  }

  #estimate(curve: Curve, level: number, now: Nanoseconds): Nanoseconds {
    const oldest = now - this.#life;
    const at = level * FIELDS;
    if (curve[at + OBSERVED_AT]! > oldest) return curve[at]!;
    const known = this.#nearest(curve, level, oldest);
    if (known === -1) return this.#usual(level);
    const there = known / FIELDS;
    return curve[known]! * (this.#growth(level) / this.#growth(there));
  }

  /** The curve of all; 0 if it is empty. */
  #usual(level: number): Nanoseconds {
    const nearest = this.#nearest(this.#common, level, -Infinity);
    if (nearest === -1) return 0;
    const there = nearest / FIELDS;
    const beyond = level > this.#top ? (loadOf(level) + 1) / (loadOf(there) + 1) : 1;
    return this.#common[nearest]! * beyond;
  }

  /** What a level's latency is to that of others: the curve of all, or the load if that is empty. */
  #growth(level: number): number {
    return this.#usual(level) || loadOf(level) + 1;
  }

  /** Where the nearest level newer than `oldest` is, of equally near ones the lower; −1 if there is none. */
  #nearest(curve: Curve, level: number, oldest: Nanoseconds): number {
    const reach = Math.max(level, this.#top - level);
    for (let distance = 0; distance <= reach; distance++) {
      const below = (level - distance) * FIELDS;
      if (below >= 0 && curve[below + OBSERVED_AT]! > oldest) return below;
      const above = (level + distance) * FIELDS;
      if (above < curve.length && curve[above + OBSERVED_AT]! > oldest) return above;
    }
    return -1;
  }
}

function newCurve(): Curve {
  const curve = new Float64Array(LEVELS * FIELDS);
  clear(curve);
  return curve;
}

function clear(curve: Curve): void {
  for (let at = 0; at < curve.length; at += FIELDS) {
    curve[at + OBSERVED_AT] = -Infinity;
    curve[at + COUNT] = 0;
  }
}

/** A level takes a latency in. */
function move(curve: Curve, at: number, latency: Nanoseconds, now: Nanoseconds): void {
  const count = Math.min(curve[at + COUNT]! + 1, STEPS - 1);
  const step = 1 + 1 / (count + 1);
  curve[at + COUNT] = count;
  curve[at + OBSERVED_AT] = now;
  const median = curve[at]!;
  curve[at] = latency > median
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
