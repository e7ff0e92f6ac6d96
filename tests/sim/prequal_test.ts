/** Where Prequal belongs: no worse than power-of-two among equals, and better where some are slow. */
import { testAntagonists, testPrequal } from "./prequal.ts";

testPrequal(10, 0.7, 40_000);
testPrequal(20, 0.8, 40_000);
testPrequal(100, 0.9, 120_000);
testAntagonists(20, 0.7, 2000);
