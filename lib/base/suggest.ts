/** A hint with the name that was probably meant, if a name is similar enough: `did you mean "round-robin"?` */
export function didYouMean(given: string, names: readonly string[]): string | undefined {
  const name = nameMeant(given, names);
  return name === undefined ? undefined : `did you mean "${name}"?`;
}

/** The name that was probably meant, if a name is similar enough. */
export function nameMeant(given: string, names: readonly string[]): string | undefined {
  const whole = names.filter((name) => isShort(given, name));
  if (whole.length === 1) return whole[0];
  const distances = names.map((name) => ({ name, distance: editDistance(given, name) }));
  const best = distances.toSorted((a, b) => a.distance - b.distance)[0];
  if (best === undefined || best.distance > Math.max(1, Math.floor(given.length / 3))) return;
  return best.name;
}

/**
 * Whether one of two words is the beginning of the other: `warn` and `warning`, `leastconn` and `least-connections`.
 */
function isShort(given: string, name: string): boolean {
  const letters = (text: string) => text.slice(0, 40).toLowerCase().replaceAll(/[-_]/g, "");
  const [a, b] = [letters(given), letters(name)];
  return a.length >= 3 && (b.startsWith(a) || (b.length >= 3 && a.startsWith(b)));
}

/** The number of insertions, deletions, substitutions and swaps of neighbours between two words. */
function editDistance(a: string, b: string): number {
  const left = a.toLowerCase().replaceAll("-", "_").slice(0, 40);
  const right = b.toLowerCase().replaceAll("-", "_").slice(0, 40);
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1];
      let distance = Math.min(
        rows[i - 1]![j]! + 1,
        row[j - 1]! + 1,
        rows[i - 1]![j - 1]! + (same ? 0 : 1),
      );
      const swapped = i > 1 && j > 1 && left[i - 1] === right[j - 2] &&
        left[i - 2] === right[j - 1];
      if (swapped) distance = Math.min(distance, rows[i - 2]![j - 2]! + 1);
      row.push(distance);
    }
    rows.push(row);
  }
  return rows[left.length]![right.length]!;
}
