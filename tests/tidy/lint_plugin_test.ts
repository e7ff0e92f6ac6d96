import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import plugin from "./lint_plugin.ts";

const NOW = "take `now: Nanoseconds` as an argument";
const RANDOM = "take a `Random` as an argument (lib/base/random.ts)";
const own = (name: string) => `use \`${name}\` (lib/base/elementary.ts)`;
const POWER = `${own("power")}, or \`square\`; \`**\` is for 2 to the power of an integer literal`;

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
  ["Math.exp(x);", `Math.exp differs between engines: ${own("exp")}`],
  ["const { log } = Math;", `Math.log differs between engines: ${own("ln")}`],
  ["globalThis.Math.pow(x, y);", `Math.pow differs between engines: ${own("power")}`],
  ['Math["sin"](x);', `Math.sin differs between engines: ${own("sinTurns")}`],
  ["values.map(Math.log10);", `Math.log10 differs between engines: ${own("decimalExponent")}`],
  ["Math.hypot(x, y);", "Math.hypot differs between engines: use Math.sqrt of the sum of squares"],
  ["x ** 0.5;", `\`**\` differs between engines: ${POWER}`],
  ["x ** 2;", `\`**\` differs between engines: ${POWER}`],
  ["2 ** x;", `\`**\` differs between engines: ${POWER}`],
  ["2 ** -0.25;", `\`**\` differs between engines: ${POWER}`],
  ["x **= 3;", `\`**=\` differs between engines: ${POWER}`],
  ["crypto.getRandomValues(a);", `crypto.getRandomValues is ambient: ${RANDOM}`],
];

const ALLOWED = [
  "new Date(0);",
  "Math.round(1.5);",
  "const { max } = Math;",
  "Math.sqrt(2);",
  "2 ** 53;",
  "2 ** -53;",
  "x * x;",
  "other.log(x);",

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
  Deno.test(`the lint plugin reports \`${source}\` once, and names the replacement`, () => {
    assert.deepEqual(lint("lib/core/x.ts", source).map((found) => found.message), [message]);
  });
}

for (const source of ALLOWED) {
  Deno.test(`the lint plugin accepts \`${source}\``, () => {
    assert.deepEqual(lint("lib/core/x.ts", source), []);
  });
}

Deno.test("the lint plugin checks only the pure folders, whose code decides", () => {
  const reported = (file: string) => lint(file, "Math.random();").length > 0;
  for (
    const file of [
      "lib/core/x.ts",
      "lib/core/algorithms/_x.ts",
      "lib/config/x.ts",
      "lib/report/x.ts",
      "lib/scenario/x.ts",
      "lib/stats/x.ts",
      "sim/engine/x.ts",
      "sim/model/deep/er/x.ts",
      "sim/study/x.ts",
      "lib\\core\\x.ts",
    ]
  ) assert.ok(reported(file), file);
  for (
    const file of [
      "lb/x.ts",
      "lib/files/x.ts",
      "lib/io/clock.ts",
      "sim/command.ts",
      "sim/threads/x.ts",
      "lib/corex/x.ts",
      "main.ts",
      "tests/sim/x_test.ts",
      "tests/lib/core/x_test.ts",
      "live/sim/x.ts",
    ]
  ) assert.ok(!reported(file), file);
});

Deno.test("the lint plugin finds functions that differ between engines only in the pure folders", () => {
  const reported = (file: string) => lint(file, "Math.exp(1);").length > 0;
  for (const folder of ["lib/base", "lib/core", "lib/report", "lib/config", "sim/theory"]) {
    assert.ok(reported(`${folder}/x.ts`), folder);
  }
  for (const folder of ["lb", "backend", "sim/threads", "tests/sim"]) {
    assert.ok(!reported(`${folder}/x.ts`), folder);
  }
});

Deno.test("the lint plugin accepts absolute paths, which deno lint passes", () => {
  const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
  assert.equal(lint(path("sim/model/x.ts"), "Date.now();").length, 1);
  assert.equal(lint(path("lb/x.ts"), "Date.now();").length, 0);
});
