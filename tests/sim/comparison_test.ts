import assert from "node:assert/strict";
import { ALGORITHM_NAMES, NS_PER_MS, NS_PER_S } from "../../lib/core/mod.ts";
import { parseConfig } from "../../lib/config/mod.ts";
import { compare, type ComparisonOptions } from "../../sim/comparison.ts";

const CONFIG = parseConfig({
  file: "config.yaml",
  text: `backends:
  - {id: B1, address: 10.0.0.1:80}
  - {id: B2, address: 10.0.0.2:80}
health_check: {type: none}
`,
});

const OPTIONS: ComparisonOptions = {
  algorithms: ALGORITHM_NAMES,
  load: 0.5,
  service: 10 * NS_PER_MS,
  duration: 300 * NS_PER_S,
  replications: 8,
  seed: 3,
};

/** Four hops of 0.2 ms to ask and to be answered, two more to connect: what the wires add. */
const WIRES_MS = { least: 0.4, most: 2 };

Deno.test("compare() agrees with theory: M/M/1, E2/M/1 and join the shortest queue", () => {
  const { outcomes } = compare(CONFIG, OPTIONS);
  /** Mean sojourn in service times of 10 ms, at a load of 0.5 on two backends. */
  const theory = { "random": 2, "round-robin": 1.618034, "least-connections": 1.426321 };
  for (const [name, sojourn] of Object.entries(theory)) {
    const { value, standardError: error } = outcomes.find(({ algorithm }) =>
      algorithm === name
    )!.sojourn_ms.mean;
    assert.ok(error < 0.01 * value, `${name}: ${error} is too noisy`);
    const excess = value - sojourn * 10;
    assert.ok(
      excess > WIRES_MS.least - 4 * error && excess < WIRES_MS.most + 4 * error,
      `${name}: ${value} ms, theory ${sojourn * 10} ms and the wires`,
    );
  }
});

Deno.test("compare() gives the same for the same seed, and something else for another", () => {
  const short = { ...OPTIONS, duration: 10 * NS_PER_S };
  const first = JSON.stringify(compare(CONFIG, short));
  assert.equal(JSON.stringify(compare(CONFIG, short)), first);
  assert.notEqual(JSON.stringify(compare(CONFIG, { ...short, seed: 4 })), first);
});

Deno.test("compare() lets every algorithm meet the same clients and jobs", () => {
  const { outcomes } = compare(CONFIG, { ...OPTIONS, duration: 20 * NS_PER_S });
  assert.equal(new Set(outcomes.map(({ done, failed }) => done + failed)).size, 1);
});

Deno.test("compare() names the winner, and by how much it beats whom", () => {
  const { winner, margins } = compare(CONFIG, OPTIONS);
  // Of two backends both of these see both, and differ only in how they break ties.
  assert.ok(winner === "least-connections" || winner === "power-of-two", winner);
  const overRandom = margins.find(({ over }) => over === "random")!;
  assert.ok(overRandom.p99_ms.low > 0);
  assert.equal(margins.length, ALGORITHM_NAMES.length - 1);
});
