/** Prequal is not worse than power-of-two if all backends are equal, and better if some are slow. */
import { testAntagonists, testPrequal } from "./prequal.ts";

testPrequal(10, 0.7, 40_000);
testPrequal(20, 0.8, 40_000);
testPrequal(100, 0.9, 120_000);
testAntagonists(20, 0.7, 2000);
