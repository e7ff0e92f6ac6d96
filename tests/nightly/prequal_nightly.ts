/** Compares Prequal with power-of-two for many numbers of backends and loads. */
import { testAntagonists, testPrequal } from "../sim/prequal.ts";

for (const n of [10, 20, 100]) {
  for (const load of [0.7, 0.8, 0.9]) {
    testPrequal(n, load, 30_000 * Math.max(10, n / 2), 5);
    testAntagonists(n, load, 5000, 5);
  }
}
