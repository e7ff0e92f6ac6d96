/** `deno task test` runs every test file, and reports every failure. */
import assert from "node:assert/strict";
import { Lanes } from "../runner/lanes.ts";
import { testFiles } from "../runner/main.ts";
import { closingLine, resultOf, sumOf } from "../runner/result.ts";
import { inFolder } from "../support/folder.ts";
import { sourceFiles } from "./source.ts";

/** What `deno test` prints about a file with this text, and its exit code. */
async function denoTest(text: string): Promise<{ lines: string[]; code: number }> {
  return await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/one_test.ts`, text);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "--no-check", "--no-config", "one_test.ts"],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    return { code, lines: (decoder.decode(stdout) + decoder.decode(stderr)).split("\n") };
  });
}

Deno.test("Lanes returns each test file once, and no other file", () => {
  const files = testFiles();
  assert.deepEqual(files, sourceFiles("tests/").filter((file) => file.endsWith("_test.ts")));
  const lanes = new Lanes(files);
  const handed: string[] = [];
  for (let i = 0; handed.length < files.length; i++) handed.push(lanes.next(i % 2)!);
  assert.deepEqual([lanes.next(0), lanes.next(1)], [undefined, undefined]);
  assert.deepEqual(handed.sort(), files);
});

Deno.test("Lanes gives a lane a file of the other kind if no file of its own kind is left", () => {
  const computing = ["tests/docs/readme_test.ts", "tests/sim/command_test.ts"];
  assert.equal(new Lanes(["tests/lb/relay_test.ts", ...computing]).next(1), computing[0]);
  const lanes = new Lanes(computing);
  assert.deepEqual([lanes.next(0), lanes.next(1)], computing);
});

Deno.test("resultOf() counts the tests that passed, failed and were ignored, and names the last two", async () => {
  const { lines, code } = await denoTest(`
    Deno.test("good", () => {});
    Deno.test("better", async (t) => { await t.step("step", () => {}); });
    Deno.test("bad", () => { throw new Error("it is wrong"); });
    Deno.test({ name: "absent", ignore: true, fn() {} });
  `);
  assert.notEqual(code, 0);
  const result = resultOf("one_test.ts", lines, code);
  const { failures: [failure], ...counts } = result;
  assert.deepEqual(counts, { passed: 2, failed: 1, ignored: 1, skipped: ["absent"] });
  assert.match(failure!, /^bad => .*one_test\.ts:4:/);
  assert.equal(
    closingLine(sumOf([result, result]), 61.7),
    "FAILED | 4 passed | 2 failed | 2 ignored (1m2s)",
  );
});

Deno.test("resultOf() counts a file that passes", async () => {
  const { lines, code } = await denoTest('Deno.test("good", () => {});');
  const result = resultOf("one_test.ts", lines, code);
  assert.deepEqual(result, { passed: 1, failed: 0, ignored: 0, failures: [], skipped: [] });
  assert.equal(closingLine(result, 119.9), "ok | 1 passed | 0 failed | 0 ignored (2m0s)");
});

Deno.test("resultOf() counts a failure if a file ends before its tests, or cannot be loaded", async () => {
  for (
    const text of [
      'Deno.test("good", () => {}); Deno.test("lost", () => { Deno.kill(Deno.pid, "SIGKILL"); });',
      'import "./missing.ts";',
      'throw new Error("while it is loaded");',
      "Promise.reject(new Error()); Deno.test('good', () => new Promise((end) => setTimeout(end, 9)));",
    ]
  ) {
    const { lines, code } = await denoTest(text);
    const { failed, failures } = resultOf("one_test.ts", lines, code);
    assert.equal(failed, 1, `${text}\n${lines.join("\n")}`);
    assert.equal(failures.length, 1, `${text}\n${lines.join("\n")}`);
  }
});

Deno.test("resultOf() counts a failure if all tests pass but the process ends with an error", () => {
  const closing = "\u001b[32mok\u001b[0m | 3 passed (2 steps) | 0 failed (1ms)";
  const { failed, failures } = resultOf("tests/one_test.ts", [closing], 1);
  assert.equal(failed, 1);
  assert.deepEqual(failures, ["tests/one_test.ts ended with exit code 1"]);
});
