import assert from "node:assert/strict";
import { compareCommand } from "../../live/compare_command.ts";
import { simCommand } from "../../sim/command.ts";
import { ioFor } from "../support/io.ts";

const MAIN = new URL("../../main.ts", import.meta.url).href;

async function compare(...args: string[]): Promise<string> {
  const out: string[] = [];
  await compareCommand(ioFor(out)).exitOverride().parseAsync(args, { from: "user" });
  return out.join("\n");
}

async function withResult(run: (result: string, directory: string) => Promise<void>) {
  const directory = await Deno.makeTempDir();
  try {
    const [scenario, result] = [`${directory}/scenario.yaml`, `${directory}/result.json`];
    await Deno.writeTextFile(scenario, "balancer: {backends: 2}\nduration: 2s\nreplications: 1\n");
    const out: string[] = [];
    await simCommand(ioFor(out), MAIN).exitOverride()
      .parseAsync([scenario, "--json", "--jobs", "1"], { from: "user" });
    await Deno.writeTextFile(result, out.join("\n"));
    await run(result, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("lbsim compare shows two results as a table, as JSON and as a page", async () => {
  await withResult(async (result, directory) => {
    assert.match(await compare(result, result), /mean/);
    assert.equal(JSON.parse(await compare(result, result, "--json")).variants.length, 1);
    const page = `${directory}/page.html`;
    await compare(result, result, "--html", page);
    assert.match(await Deno.readTextFile(page), /^<!doctype html>[^]*<table/i);
  });
});

const FOREIGN: readonly (readonly [what: string, text: string, says: RegExp])[] = [
  ["text that is not JSON", "mean: 3", /foreign\.json: is not JSON/],
  ["JSON of another program", '{"requests": []}', /foreign\.json: is not a result of lbsim/],
  ["a list", "[]", /foreign\.json: is not a result of lbsim/],
  ["an empty file", "", /foreign\.json: is not JSON/],
];

Deno.test("lbsim compare refuses a file that is not a result, and names the file", async () => {
  await withResult(async (result, directory) => {
    const foreign = `${directory}/foreign.json`;
    for (const [what, text, says] of FOREIGN) {
      await Deno.writeTextFile(foreign, text);
      await assert.rejects(compare(result, foreign), says, what);
      await assert.rejects(compare(foreign, foreign), says, what);
    }
  });
});
