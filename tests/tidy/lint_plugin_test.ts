import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import plugin from "./lint_plugin.ts";

const NOW = "take `now: Nanoseconds` as an argument";
const RANDOM = "take a `Random` as an argument (lib/core/random.ts)";

const BANNED: readonly [source: string, message: string][] = [
  ["Date.now();", `Date.now is ambient: ${NOW}`],
  ['Date["now"]();', `Date.now is ambient: ${NOW}`],
  ["const clock = Date.now;", `Date.now is ambient: ${NOW}`],
  ["globalThis.Date.now();", `Date.now is ambient: ${NOW}`],
  ["const { now } = Date;", `Date.now is ambient: ${NOW}`],
  ["new Date();", `new Date() is ambient: ${NOW}`],
  ["new globalThis.Date();", `new Date() is ambient: ${NOW}`],
  ["Date();", `Date() is ambient: ${NOW}`],
  ["performance.now();", `performance.now is ambient: ${NOW}`],
  ["performance.timeOrigin;", `performance.timeOrigin is ambient: ${NOW}`],
  ["Temporal.Now.instant();", `Temporal.Now is ambient: ${NOW}`],
  ["Math.random();", `Math.random is ambient: ${RANDOM}`],
  ["const draw = Math.random;", `Math.random is ambient: ${RANDOM}`],
  ["const { random: draw } = Math;", `Math.random is ambient: ${RANDOM}`],
  ["crypto.randomUUID();", `crypto.randomUUID is ambient: ${RANDOM}`],
  ["crypto.getRandomValues(a);", `crypto.getRandomValues is ambient: ${RANDOM}`],
];

const ALLOWED = [
  "new Date(0);",
  "Math.round(1.5);",
  "const { max } = Math;",
  "clock.now();",
  "random.random();",
  "const now = 1;",
  "function f({ now }: { now: number }) { return now; }",
  'const text = "Date.now()"; // Math.random()',
];

function lint(file: string, source: string): Deno.lint.Diagnostic[] {
  return Deno.lint.runPlugin(plugin, file, source);
}

for (const [source, message] of BANNED) {
  Deno.test(`the lint plugin reports \`${source}\` once, and names what to write instead`, () => {
    assert.deepEqual(lint("lib/core/x.ts", source).map((found) => found.message), [message]);
  });
}

for (const source of ALLOWED) {
  Deno.test(`the lint plugin has nothing against \`${source}\``, () => {
    assert.deepEqual(lint("lib/core/x.ts", source), []);
  });
}

Deno.test("the lint plugin looks where code decides, and nowhere else", () => {
  const reported = (file: string) => lint(file, "Math.random();").length > 0;
  for (
    const file of [
      "lib/core/x.ts",
      "lib/core/algorithms/_x.ts",
      "lib/scenario/x.ts",
      "lib/stats/x.ts",
      "sim/x.ts",
      "sim/deep/er/x.worker.ts",
      "lib\\core\\x.ts",
    ]
  ) assert.ok(reported(file), file);
  for (
    const file of [
      "lb/x.ts",
      "lib/clock.ts",
      "lib/corex/x.ts",
      "main.ts",
      "tests/sim/x_test.ts",
      "tests/lib/core/x_test.ts",
      "live/sim/x.ts",
    ]
  ) assert.ok(!reported(file), file);
});

Deno.test("the lint plugin takes the paths that deno lint hands it: absolute ones", () => {
  const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
  assert.equal(lint(path("sim/x.ts"), "Date.now();").length, 1);
  assert.equal(lint(path("lb/x.ts"), "Date.now();").length, 0);
});
