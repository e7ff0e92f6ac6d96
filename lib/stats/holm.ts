/**
 * Decides several comparisons so that the probability of one or more false claims among all of them is at most `1 −
 * confidence`. The more comparisons there are, the more certain each must be. A comparison is accepted when its
 * interval excludes "no difference" at the confidence `1 − (1 − confidence) / m`, where `m` is the number of
 * comparisons of the family that are not accepted yet. This is repeated until no further comparison is accepted.
 *
 * The family may be larger than the comparisons that are made. When the best of k variants is compared with the
 * others, each pair could have been compared: the family has k(k − 1)/2 pairs.
 *
 * Source: S. Holm, "A simple sequentially rejective multiple test procedure", 1979.
 *
 * @param comparisons For each comparison: whether its interval excludes "no difference" at a confidence.
 * @param family The number of comparisons that could have been made.
 * @returns For each comparison: the confidence at which it was decided.
 */
export function holm(
  comparisons: readonly ((confidence: number) => boolean)[],
  family: number,
  confidence: number,
): number[] {
  const levels = new Array<number>(comparisons.length);
  let open = [...comparisons.keys()];
  while (true) {
    const standing = comparisons.length - open.length;
    const level = 1 - (1 - confidence) / (family - standing);
    open.forEach((i) => levels[i] = level);
    const left = open.filter((i) => !comparisons[i]!(level));
    if (left.length === open.length || left.length === 0) return levels;
    open = left;
  }
}
