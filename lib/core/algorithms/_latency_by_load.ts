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
 * again.
 *
 * Source: B. Wydrowski et al., "Load is not what you should balance: introducing Prequal", NSDI 2024,
 * section 4.
 */
export class LatencyByLoad {
  readonly #life: Nanoseconds;
  readonly #curves: Curve[] = [];
  readonly #common = newCurve();
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
  }

  /** An answer came. */
  observe(index: number, latency: Nanoseconds, load: number, now: Nanoseconds): void {
    const level = levelOf(load);
    const curve = this.#curves[index]!;
    const at = level * FIELDS;
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

  /**
   * No answer came for so long: what there was before says nothing any more, at whatever load. It is not
   * what answers take, so the curve of all does not change.
   */
  observeSilence(index: number, waited: Nanoseconds, load: number, now: Nanoseconds): void {
    const level = levelOf(load);
    const curve = this.#curves[index]!;
    clear(curve);
    curve[level * FIELDS] = waited;
    move(curve, level * FIELDS, waited, now);
    if (level > this.#top) this.#top = level;
  }

  /** What an answer would take at a load; 0 if nothing is known of any index. */
  estimate(index: number, load: number, now: Nanoseconds): Nanoseconds {
    return this.#estimate(this.#curves[index]!, levelOf(load), now);
  }

  #estimate(curve: Curve, level: number, now: Nanoseconds): Nanoseconds {
    const common = this.#common;
    const oldest = now - this.#life;
    const at = level * FIELDS;
    if (curve[at + OBSERVED_AT]! > oldest) return curve[at]!;
    const usual = this.#nearest(common, level, -Infinity);
    const known = this.#nearest(curve, level, oldest);
    if (known === -1) return usual === -1 ? 0 : common[usual]!;
    if (usual === -1) return curve[known]!;
    const there = this.#nearest(common, known / FIELDS, -Infinity);
    return curve[known]! * (common[usual]! / common[there]!);
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

function levelOf(load: number): number {
  if (load < EXACT_MAX) return load;
  const doublings = 31 - Math.clz32(load);
  return Math.min(LEVELS - 1, 2 * doublings + 2 + (load >> (doublings - 1) & 1));
}
