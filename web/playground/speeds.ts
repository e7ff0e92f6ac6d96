/** The speeds to choose from, ascending: virtual seconds per second, with its label. */
export const SPEEDS: readonly (readonly [speed: number, label: string])[] = [
  [0.001, "1/1000"],
  [0.003, "1/300"],
  [0.01, "1/100"],
  [0.03, "1/30"],
  [0.1, "1/10"],
  [0.3, "1/3"],
  [1, "real time"],
  [3, "× 3"],
  [10, "× 10"],
  [30, "× 30"],
  [100, "× 100"],
  [1000, "× 1000"],
  [10_000, "× 10 000"],
];
