import assert from "node:assert/strict";
import { parse } from "yaml";
import deno from "../../deno.json" with { type: "json" };
import { TARGETS } from "../../packaging/compile.ts";

const ROOT = `${import.meta.dirname}/../../`;

interface Workflow {
  readonly permissions: Record<string, string>;
  readonly jobs: Record<string, {
    readonly strategy?: { readonly matrix: { readonly os: readonly string[] } };
    readonly permissions?: Record<string, string>;
    readonly steps: readonly {
      readonly uses?: string;
      readonly run?: string;
      readonly with?: Record<string, string>;
    }[];
  }>;
}

const workflow = (name: string): Workflow =>
  parse(Deno.readTextFileSync(`${ROOT}.github/workflows/${name}`));

for (const name of ["ci.yml", "release.yml"]) {
  Deno.test(`${name} runs only tasks that exist, with the pinned Deno, and may only read the repository`, () => {
    const { permissions, jobs } = workflow(name);
    assert.deepEqual(permissions, { contents: "read" });
    const steps = Object.values(jobs).flatMap((job) => job.steps);
    const setups = steps.filter(({ uses }) => uses?.startsWith("denoland/setup-deno@"));
    assert.equal(setups.length, Object.keys(jobs).length);
    for (const step of setups) assert.equal(step.with?.["deno-version-file"], ".dvmrc");
    for (const { run = "" } of steps) {
      const task = /deno task (\S+)/.exec(run)?.[1];
      if (task !== undefined) assert.ok(task in deno.tasks, task);
    }
  });
}

Deno.test("ci.yml runs its checks on Linux, macOS and Windows", () => {
  assert.deepEqual(workflow("ci.yml").jobs.checks!.strategy!.matrix.os, [
    "ubuntu-latest",
    "macos-latest",
    "windows-latest",
  ]);
});

Deno.test("release.yml publishes all files in dist/, and there are five targets", () => {
  const { jobs } = workflow("release.yml");
  assert.deepEqual(jobs.release!.permissions, { contents: "write" });
  assert.ok(
    jobs.release!.steps.some(({ run = "" }) =>
      run.includes("gh release create") && run.includes("dist/*")
    ),
  );
  assert.equal(Object.keys(TARGETS).length, 5);
});
