import { square } from "../base/mod.ts";

/** Values are averaged in groups of five to reduce noise. */
const BATCH = 5;

/**
 * The number of leading values that belong to the warm-up (MSER-5): if these are removed, the standard error of the
 * rest is the smallest, among all cuts in the first half.
 *
 * Source: K. P. White, "An effective truncation heuristic for bias reduction in simulation output", 1997.
 */
export function warmupLength(values: readonly number[]): number {
  const batches = Math.floor(values.length / BATCH);
  const means = Array.from(
    { length: batches },
    (_, b) =>
      values.slice(b * BATCH, (b + 1) * BATCH).reduce((sum, value) => sum + value, 0) / BATCH,
  );
  let best = 0;
  let bestScore = Infinity;
  let sum = 0;
  let squares = 0;
  // The loop goes backwards, so that each cut costs one addition.
  for (let cut = batches - 1; cut >= 0; cut--) {
    sum += means[cut]!;
    squares += square(means[cut]!);
    const left = batches - cut;
    if (cut > batches / 2 || left < 2) continue;
    const score = (squares - sum * sum / left) / (left * left);
    if (score <= bestScore) {
      best = cut;
      bestScore = score;
    }
  }
  return best * BATCH;
}
