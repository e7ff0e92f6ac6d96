/**
 * The pure rooms run in any JavaScript engine and give the same bytes there: bundled for a browser, with no
 * Deno around them, under node's V8 and under JavaScriptCore, the engine of Safari.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { installed } from "../support/tools.ts";
import { digests } from "./digests.ts";

/** The engines, each with the arguments before the name of a module. */
const ENGINES: Readonly<Record<string, readonly string[]>> = { node: [], jsc: ["--module-file"] };

async function run(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  assert.ok(success, `${program} ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

Deno.test("the pure rooms give the same bytes in every engine", async (t) => {
  const expected = digests();
  const folder = await Deno.makeTempDir();
  try {
    const bundle = `${folder}/bundle.mjs`;
    const entry = fileURLToPath(new URL("./entry.ts", import.meta.url));
    await run(Deno.execPath(), [
      ...["bundle", "--quiet", "--no-check", "--platform", "browser", "--output", bundle, entry],
    ]);
    await t.step("the bundle asks for nothing but the language", async () => {
      const text = await Deno.readTextFile(bundle);
      assert.doesNotMatch(text, /^\s*(import|export)\b|\bfrom "node:|\bDeno\./m);
    });
    for (const [engine, args] of Object.entries(ENGINES)) {
      await t.step({
        name: engine,
        ignore: installed(engine) === undefined,
        fn: async () => {
          const output = await run(engine, [...args, bundle]);
          assert.deepEqual(output.trimEnd().split("\n"), expected);
        },
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
