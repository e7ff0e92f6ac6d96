/**
 * Decides many comparisons so that the chance of even one false claim among all of them is at most
 * `1 − confidence`: the more there are, the more certain each has to be. A comparison stands when its
 * interval excludes "no difference" at the confidence `1 − (1 − confidence) / m`, where `m` counts the
 * comparisons of the family that do not stand yet; this is repeated until no further one stands.
 *
 * The family may be larger than the comparisons that are looked at. When the best of k variants is
 * compared with the others, any pair might have been looked at: the family has k(k − 1)/2 pairs.
 *
 * Source: S. Holm, "A simple sequentially rejective multiple test procedure", 1979.
 *
 * @param comparisons Of each: whether its interval excludes "no difference" at a confidence.
 * @param family How many comparisons there could have been.
 * @returns Of each: the confidence at which it was decided.
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
