/** The simulations in the documents. */
import assert from "node:assert/strict";
import { lbsim, wordsOf } from "../support/process.ts";

const ROOT = `${import.meta.dirname}/../../`;

/** The documents whose simulations are run, and the smallest number of simulations in each. */
const SIMULATED = {
  "docs/lab.md": 16,
  "docs/switch-from-round-robin.md": 5,
  "docs/trust.md": 3,
  "docs/which-algorithm.md": 6,
};

const simulations = new Map<string, ReturnType<typeof lbsim>>();

/** The result of `lbsim` with the arguments of a simulation. Several documents may contain the same simulation. */
function simulation(args: readonly string[]): ReturnType<typeof lbsim> {
  const key = JSON.stringify(args);
  if (!simulations.has(key)) simulations.set(key, lbsim(args, { cwd: ROOT }));
  return simulations.get(key)!;
}

for (const [file, count] of Object.entries(SIMULATED)) {
  Deno.test(`${file}'s simulations run as they are written, but with one replication`, async () => {
    const text = await Deno.readTextFile(`${ROOT}${file}`);
    const blocks = [...text.matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block);
    const commands = [...blocks.join("").matchAll(/^lbsim (sim.*)$/gm)].map(([, line]) => line!);
    assert.ok(commands.length >= count, `${commands.length}`);
    // `sim --selftest` takes minutes; tests/sim/theory/selftest_test.ts tests it.
    for (const line of commands.filter((line) => line !== "sim --selftest")) {
      const args = wordsOf(line);
      const page = args.indexOf("--html");
      if (page !== -1) args.splice(page, 2);
      const { code, stderr } = await simulation([...args, "--replications", "1"]);
      // A single replication may miss an expectation of the scenario, which has ten. With `--set`, the expectations are
      // not checked.
      assert.ok(code === 0 || code === 1 && !line.includes("--set"), `${line}\n${stderr}`);
      assert.ok(!stderr.includes("error"), stderr);
    }
  });
}
