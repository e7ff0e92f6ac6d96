/**
 * Code that uses the platform does not type-check in a pure folder, or does not pass the lint. The test adds such code
 * to a copy, and runs the commands of `deno task ok`.
 */
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { readText, ROOT } from "./source.ts";

/** The folders that deno.json lists as its workspace. */
const { workspace } = JSON.parse(readText("deno.json")!);
const WORKSPACE: readonly string[] = workspace.map((room: string) => room.replace("./", ""));
/**
 * The pure folders. The folders of the pages are left out, because they have the types of a
 * browser.
 */
const ROOMS = WORKSPACE.filter((room) => !room.startsWith("web/"));

const COPIED = ["deno.json", "deno.lock", ...WORKSPACE, "tests/tidy/lint_plugin.ts"];

/** All impure files are added to this folder, and the first of them to every pure folder. */
const FIRST = "lib/core";

/** The texts of the impure files. Each has one error, so that no error hides another. */
const IMPURE: Readonly<Record<string, string>> = {
  Deno: "export const cwd = Deno.cwd();",
  setTimeout: "setTimeout(() => {}, 1);",
  setInterval: "setInterval(() => {}, 1);",
  fetch: 'export const page = fetch("http://127.0.0.1/");',
  performance: "export const now = performance.now();",
  crypto: "export const id = crypto.randomUUID();",
  console: 'console.log("hello");',
  process: "export const { pid } = process;",
};

/** Impure code that only the lint finds, because these names are part of the language itself. */
const AMBIENT: Readonly<Record<string, string>> = {
  "Date.now": "export const now = Date.now();",
  "Math.random": "export const draw = Math.random();",
  "new Date()": "export const date = new Date();",
};

async function inCopy(
  files: Readonly<Record<string, string>>,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "lbsim-core-" });
  try {
    for (const path of COPIED) {
      await cp(fileURLToPath(new URL(path, ROOT)), join(folder, path), { recursive: true });
    }
    for (const [index, source] of Object.values(files).entries()) {
      const rooms = index === 0 ? ROOMS : [FIRST];
      for (const room of rooms) {
        await Deno.writeTextFile(join(folder, room, `impure_${index}.ts`), `${source}\n`);
      }
    }
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function deno(folder: string, ...args: string[]): Promise<{ ok: boolean; text: string }> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: folder, env: { NO_COLOR: "1" } });
  for (let tries = 1;; tries++) {
    const { success, code, signal, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    const text = decoder.decode(stdout) + decoder.decode(stderr);
    // A finding has a message. If there is no output, Deno itself has crashed, which its lint does
    // sometimes.
    if (success || text !== "" || tries === 2) {
      return { ok: success, text: text || `no output, exit code ${code}, signal ${signal}` };
    }
  }
}

/** The folders in which this impure file was reported. The report has a line for each: `lib/core/impure_3.ts:1:20`. */
function foundIn(text: string, index: number): string[] {
  return ROOMS.filter((room) => text.includes(`${room}/impure_${index}.ts:1:`));
}

/**
 * Asserts that only the added files were reported: the folders themselves have no errors, also without the rest of the
 * tree.
 */
function assertRestClean(text: string): void {
  const places = [...text.matchAll(/[\w./-]+\.tsx?:\d+:\d+/g)].map(([place]) => place);
  assert.deepEqual(places.filter((place) => !/\/impure_\d+\.ts:/.test(place)), [], text);
}

Deno.test("the pure folders type-check by themselves, and code that uses the platform does not", async () => {
  await inCopy(IMPURE, async (folder) => {
    const { ok, text } = await deno(folder, "check");
    assert.equal(ok, false);
    Object.keys(IMPURE).forEach((name, index) => {
      const expected = index === 0 ? ROOMS : [FIRST];
      assert.deepEqual(foundIn(text, index), expected, `${name} type-checks:\n${text}`);
    });
    assertRestClean(text);
  });
});

Deno.test("the pure folders pass the lint by themselves, and code with a clock or random numbers does not", async () => {
  await inCopy(AMBIENT, async (folder) => {
    const { ok, text } = await deno(folder, "lint");
    assert.equal(ok, false);
    Object.keys(AMBIENT).forEach((name, index) => {
      assert.ok(text.includes(`${name} is ambient`), `${name} passes the lint:\n${text}`);
      assert.deepEqual(foundIn(text, index), index === 0 ? ROOMS : [FIRST], text);
    });
    assertRestClean(text);
  });
});
