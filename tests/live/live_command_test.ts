import assert from "node:assert/strict";
import type { Io } from "../../lib/cli/mod.ts";
import { liveCommand } from "../../live/live_command.ts";
import { ioFor } from "../support/io.ts";

const SCENARIO = `
balancer: {backends: 2}
duration: 30s
warmup: 0s
workload: {arrivals: {poisson: 50/s}}
service: 1ms
compare: {balancer.algorithm: [round-robin, random]}
`;

/**
 * Runs `lbsim live`, and interrupts it when its progress line matches `until`, or at once if there
 * is none.
 */
async function stopped(until: RegExp | undefined, ...args: string[]) {
  const stopping = new AbortController();
  const out: string[] = [];
  const err: string[] = [];
  let code: number | undefined;
  if (until === undefined) stopping.abort();
  const io: Io = {
    ...ioFor(out),
    err: (line) => err.push(line),
    status: (line = "") => {
      if (until?.test(line)) stopping.abort();
    },
    setExitCode: (set) => code = set,
    signal: stopping.signal,
  };
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, SCENARIO);
    await liveCommand(io).exitOverride().parseAsync([file, ...args], { from: "user" });
  } finally {
    await Deno.remove(file);
  }
  return { out: out.join("\n"), err: err.join("\n"), code };
}

Deno.test("lbsim live shows the measurements so far when Ctrl-C ends it, with exit code 130", async () => {
  const { out, err, code } = await stopped(/round-robin: [1-9]\d* requests done/);
  assert.equal(code, 130);
  assert.match(out, /^round-robin +[\d.]/m);
  assert.doesNotMatch(out, /^random/m, "the second variant has not begun");
  assert.match(err, /the result is what was measured until then/);
});

Deno.test("lbsim live --json states that the run was interrupted", async () => {
  const { out, code } = await stopped(/round-robin: [1-9]\d* requests done/, "--json");
  assert.equal(code, 130);
  const { interrupted, variants } = JSON.parse(out);
  assert.equal(interrupted, true);
  assert.equal(variants.length, 1);
  assert.ok(variants[0].offered > 0);
});

Deno.test("lbsim live prints no result if Ctrl-C comes before the first request", async () => {
  const { out, err, code } = await stopped(undefined, "--json");
  assert.deepEqual([out, code], ["", 130]);
  assert.match(err, /stopped before anything was measured/);
});
