/** The worker of the playground computes the same results as `lbsim sim` in every browser. */
import assert from "node:assert/strict";
import { lbsim } from "../support/process.ts";
import { readText } from "../tidy/source.ts";
import { browserTest, closeBrowser, withPage } from "./browser.ts";
import { firefoxTest, withFirefox } from "./firefox.ts";
import { served } from "./playground_pages.ts";

Deno.test.afterAll(closeBrowser);

/** Changes of a user: commands of the page. */
const BY_HAND = [
  { kind: "seek", at_ms: 1000 },
  { kind: "change", set: { "workload.arrivals.load": "110%", "servers.B2.slots": 2 } },
  { kind: "step", to: "pick" },
  { kind: "break", backend: "B2", fault: { slow: 4 } },
  { kind: "seek", at_ms: 20_000 },
  { kind: "add backend", backend: { weight: 2 } },
  { kind: "repair", backend: "B2" },
  { kind: "seek", at_ms: 40_000 },
  { kind: "change", set: { "balancer.algorithm": "ring-hash" } },
  { kind: "remove backend", id: "B1" },
];

const RUNS = [
  ...["two-choices", "gray-failure", "retry-storm", "scale-out"].map((name) => ({
    name,
    commands: [] as readonly unknown[],
  })),
  { name: "gray-failure", commands: BY_HAND },
].map(({ name, commands }) => ({
  // The digest depends on all replications, and each takes seconds, so there are only two.
  text: `replications: 2\n${readText(`examples/${name}.yaml`)}`,
  commands,
}));

interface Exported {
  readonly text: string;
  readonly digest: string;
}

/** An expression for a page: the exports of all runs. */
const EXPORTS = `(async () => {
  const worker = new Worker("worker.js", { type: "module" });
  const pending = new Map();
  worker.onmessage = ({ data }) => {
    if (data.kind === "reply" || data.kind === "failed") pending.get(data.request)?.(data);
  };
  let request = 0;
  const ask = (command) => new Promise((resolve, reject) => {
    // A command that takes long also sends messages about its progress.
    pending.set(++request, ({ kind, result, problem }) => {
      if (kind === "reply") resolve(result);
      else if (kind !== "progress") reject(new Error(problem.message));
    });
    worker.postMessage({ request, ...command });
  });
  const exported = [];
  for (const { text, commands } of ${JSON.stringify(RUNS)}) {
    await ask({ kind: "open", source: { file: "run.yaml", text } });
    for (const command of commands) await ask(command);
    const { text: changed, digest } = await ask({ kind: "export" });
    exported.push({ text: changed, digest });
  }
  worker.terminate();
  return exported;
})()`;

async function digestOnCommandLine(text: string): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, text);
    const { stdout, stderr } = await lbsim(["sim", file, "--json", "--no-timing"]);
    assert.ok(stdout.startsWith("{"), stderr);
    return JSON.parse(stdout).digest;
  } finally {
    await Deno.remove(file);
  }
}

let expected: Promise<string[]> | undefined;

async function mustBeAsOnTheCommandLine(exported: readonly Exported[]): Promise<void> {
  assert.equal(exported.length, RUNS.length);
  assert.match(exported.at(-1)!.text, /\nchanges:\n/);
  expected ??= Promise.all(exported.map(({ text }) => digestOnCommandLine(text)));
  assert.deepEqual(exported.map(({ digest }) => digest), await expected);
}

browserTest(
  "the worker exports runs with the digests of the command line, in Chromium",
  async () => {
    await served((url) =>
      withPage(url, async (page) => await mustBeAsOnTheCommandLine(await page.evaluate(EXPORTS)))
    );
  },
);

firefoxTest(
  "the worker exports runs with the digests of the command line, in Firefox",
  async () => {
    await served((url) =>
      withFirefox(url, async ({ evaluate, complaints }) => {
        await mustBeAsOnTheCommandLine(await evaluate(EXPORTS) as readonly Exported[]);
        assert.deepEqual(complaints, []);
      })
    );
  },
);
