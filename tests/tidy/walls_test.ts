/** Which folder may import which, and through which file; and which file may end the process. */
import assert from "node:assert/strict";
import { posix } from "node:path";
import { exits, importsOf, loadedBy, readText, sourceFiles } from "./source.ts";

const ROLES = ["lb", "backend", "client", "bench", "ctl", "sim"];

/** The simulator without its threads and its command: the part that a page in a browser needs. */
const SIMULATION = [
  ...["sim/engine", "sim/model", "sim/measure", "sim/study", "sim/theory", "sim/play"],
];

/**
 * The pure folders: the folders that each may import besides itself, and the packages that it may import. deno.json
 * lists the same folders as its workspace, whose code has no types of the platform.
 */
const PURE: Readonly<Record<string, { readonly rooms: readonly string[]; packages?: RegExp }>> = {
  "lib/base": { rooms: [], packages: /^pure-rand\// },
  "lib/core": { rooms: ["lib/base"] },
  "lib/stats": { rooms: ["lib/base"] },
  "lib/fault": { rooms: ["lib/base"] },
  "lib/metrics": { rooms: ["lib/base", "lib/core", "lib/stats"] },
  "lib/config": { rooms: ["lib/base", "lib/core", "lib/fault"], packages: /^(yaml|zod)$/ },
  "lib/scenario": {
    rooms: ["lib/base", "lib/core", "lib/config", "lib/fault", "lib/metrics", "lib/stats"],
    packages: /^(yaml|zod)$/,
  },
  "lib/workload": { rooms: ["lib/base", "lib/scenario", "lib/stats"] },
  "lib/observe": { rooms: ["lib/base", "lib/core", "lib/config"] },
  "lib/recording": { rooms: ["lib/base", "lib/core", "lib/config"] },
  "lib/api": {
    rooms: ["lib/base", "lib/config", "lib/core", "lib/fault", "lib/observe"],
    packages: /^zod$/,
  },
  "lib/report": { rooms: ["lib/base", "lib/metrics", "lib/stats"], packages: /^echarts\// },
  "bench/core": { rooms: ["lib/base", "lib/stats"] },
  ...Object.fromEntries(SIMULATION.map((room) => [room, {
    rooms: [
      ...["lib/base", "lib/core", "lib/config", "lib/fault", "lib/metrics", "lib/stats"],
      ...["lib/observe", "lib/scenario", "lib/recording", "lib/report", "lib/workload"],
      ...SIMULATION,
    ],
    // `sim/play` writes the changes of the user into the scenario's YAML, and reads the schema for its forms.
    ...room === "sim/play" && { packages: /^(?:yaml|zod)$/ },
    ...room === "sim/study" && { packages: /^@noble\/hashes\// },
  }])),
};

/** All folders of `lib`, pure or not. */
const LIB = ["lib", ...Object.keys(PURE).filter((room) => room.startsWith("lib/"))];

/**
 * For each other part: the parts that it may import besides itself. Only parts that combine roles may import a role.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "lib": LIB,
  // `lbsim init` writes the configurations that are shipped; the admin API serves the dashboard.
  "lb": [...LIB, "config.yaml", "examples", "web"],
  "backend": LIB,
  "client": LIB,
  "bench": [...LIB, "bench/core"],
  "ctl": LIB,
  "sim": [...LIB, ...SIMULATION],
  "web": [...LIB, "sim", ...SIMULATION],
  "play": [...LIB, "web"],
  "live": [...LIB, ...ROLES, ...SIMULATION, "examples"],
  "packaging": ["deno.json"],
  "docs": [...LIB, "sim"],
  "main.ts": [...LIB, "live", "play", "web", ...ROLES, ...SIMULATION],
};

function partOf(path: string): string {
  return Object.keys(PURE).find((room) => path.startsWith(`${room}/`)) ?? path.split("/")[0]!;
}

/** What is wrong with an import; undefined if it is allowed. */
function wrong(file: string, specifier: string): string | undefined {
  const part = partOf(file);
  const pure = PURE[part];
  if (!specifier.startsWith(".")) {
    if (pure === undefined || pure.packages?.test(specifier)) return undefined;
    return `${file} imports "${specifier}": ${part} may import ${pure.packages ?? "no package"}`;
  }
  const target = posix.join(posix.dirname(file), specifier);
  if (target.endsWith(".json") && pure === undefined) return undefined;
  const allowed = pure?.rooms ?? MAY_IMPORT[part];
  if (allowed === undefined) return `${file}: add to MAY_IMPORT what "${part}" may import`;
  const other = partOf(target);
  if (other === part || allowed.includes(other)) return undefined;
  return `${file} imports "${target}": ${part} may import only ${[part, ...allowed].join(", ")}`;
}

/** Folders with a `mod.ts`, which lists what others may use; an outer one comes before its inner ones. */
const rooms = sourceFiles().filter((file) => file.endsWith("/mod.ts")).map(posix.dirname).sort();

/** Folders without a `mod.ts`: only `main.ts` imports them, or no file does. */
const WITHOUT_FRONT = ["docs", "live", "packaging"];

/**
 * The files that may be imported directly instead of through their `mod.ts`, and the files that may do so. Then a start
 * loads no more than it needs: a worker of the simulator loads neither zod nor YAML nor charts, and a balancer and a
 * backend load no scenarios.
 */
const PAST_THE_FRONT: readonly (readonly [by: RegExp, target: RegExp])[] = [
  [/^main\.ts$/, /./],
  [/^lib\/cli\/(?:output|signals)\.ts$/, /^lib\/io\/(?:clock|sleep)\.ts$/],
  [/./, /^lib\/scenario\/(?:distribution|load|types)\.ts$/],
  [/./, /^lib\/files\/(?:load_study|recording_files)\.ts$/],
  // The page does not load the code that reads configurations: with zod and YAML, it would be four
  // times as large.
  [
    /^web\/(?:dashboard|playground)\//,
    /^lib\/observe\/(?:frame|simulation_frame|event_stream|event_words)\.ts$/,
  ],
  // The page imports only types from `sim/play`, which do not make it larger. Its worker imports
  // the code.
  [/^web\/playground\//, /^(?:sim\/play\/mod|lib\/recording\/(?:meant|page_limit))\.ts$/],
  // A live run is measured and shown by the same code as a simulated run. `sim/mod.ts` does not have this code.
  [/^live\//, /^sim\/(?:show|(?:measure|model|study)\/mod)\.ts$/],
  // A run does not load the plots of a report, which need the chart library.
  [/^sim\/(?:study|theory)\//, /^lib\/report\/(?:format|variant_report)\.ts$/],
  [/^sim\/threads\//, /^sim\/study\/(?:executor|replicator)\.ts$/],
];

/** What is wrong with an import that does not go through a `mod.ts`; undefined if it is allowed. */
function reachesPast(file: string, specifier: string): string | undefined {
  if (!/^\..*\.ts$/.test(specifier)) return undefined;
  const target = posix.join(posix.dirname(file), specifier);
  if (PAST_THE_FRONT.some(([by, past]) => by.test(file) && past.test(target))) return undefined;
  const entered = rooms.find((room) =>
    target.startsWith(`${room}/`) && !file.startsWith(`${room}/`)
  );
  if (entered !== undefined) {
    if (target === `${entered}/mod.ts`) return undefined;
    return `${file} imports "${target}": import it from ${entered}/mod.ts`;
  }
  const own = rooms.findLast((room) => file.startsWith(`${room}/`));
  if (own === undefined || target.startsWith(`${own}/`) && target !== `${own}/mod.ts`) {
    return undefined;
  }
  return `${file} imports "${target}": a folder imports neither its own mod.ts nor files of the folders above it`;
}

const files = sourceFiles().filter((file) => !file.startsWith("tests/"));

/** What is wrong with the imports of all files. */
function complaints(wrongWith: typeof wrong): string[] {
  return files.flatMap((file) =>
    importsOf(file, readText(file)!).flatMap((specifier) => wrongWith(file, specifier) ?? [])
  );
}

Deno.test("the checks of imports find files and imports", () => {
  for (
    const part of ["lib/base", "lib/core", "lib", "lb", "backend", "client", "live", "main.ts"]
  ) {
    assert.ok(files.some((file) => partOf(file) === part), `no file in ${part}`);
  }
  const imports = files.flatMap((file) => importsOf(file, readText(file)!));
  assert.ok(imports.length > files.length, `${imports.length} imports`);
});

Deno.test("the folder of a role imports lib, never another role; a pure folder imports only pure folders", () => {
  assert.deepEqual(complaints(wrong), []);
});

Deno.test("deno.json lists the pure folders as its workspace, and each has no types of the platform", () => {
  const { workspace } = JSON.parse(readText("deno.json")!);
  // The workspace also has the folders of the pages, which have the types of a browser.
  const rooms = [...Object.keys(PURE), "web/dashboard", "web/playground"];
  assert.deepEqual(workspace.toSorted(), rooms.map((room) => `./${room}`).toSorted());
  for (const room of Object.keys(PURE)) {
    const { compilerOptions } = JSON.parse(readText(`${room}/deno.json`)!);
    assert.deepEqual(compilerOptions, { lib: ["esnext"] }, room);
  }
});

Deno.test("a folder is imported only through its mod.ts", () => {
  assert.deepEqual(complaints(reachesPast), []);
});

Deno.test("each folder of the source has a mod.ts, except those in WITHOUT_FRONT", () => {
  const folders = new Set(files.map(posix.dirname));
  const without = [...folders].filter((folder) => folder !== "." && !rooms.includes(folder));
  assert.deepEqual(without.sort(), WITHOUT_FRONT);
});

const ENTRIES: readonly [file: string, source: string, ok: boolean][] = [
  ["lb/x.ts", 'import { a } from "../lib/io/mod.ts";', true],
  ["lb/x.ts", 'import { a } from "../lib/io/clock.ts";', false],
  ["lb/x.ts", 'import type { A } from "../lib/io/clock.ts";', false],
  ["lb/x.ts", 'import { a } from "./relay/mod.ts";', true],
  ["lb/x.ts", 'await import("./relay/relay.ts");', false],
  ["lb/relay/x.ts", 'import { a } from "./buffers.ts";', true],
  ["lb/relay/x.ts", 'import { a } from "./mod.ts";', false],
  ["lb/relay/x.ts", 'import { a } from "../balancer.ts";', false],
  ["lb/relay/x.ts", 'import { a } from "../dial/mod.ts";', true],
  ["lb/relay/x.ts", 'export { a } from "../dial/dial.ts";', false],
  ["live/x.ts", 'import { a } from "../lib/core/mod.ts";', true],
  ["live/x.ts", 'import { a } from "../lib/core/events/mod.ts";', false],
  ["lib/core/x.ts", 'import { a } from "./events/mod.ts";', true],
  ["lib/core/events/x.ts", 'import { a } from "../mod.ts";', false],
  ["sim/model/x.ts", 'import { a } from "../../lib/scenario/types.ts";', true],
  ["sim/model/x.ts", 'import { a } from "../../lib/scenario/study.ts";', false],
  ["main.ts", 'import { a } from "./sim/threads/workers.ts";', true],
];

for (const [file, source, ok] of ENTRIES) {
  Deno.test(`${file} ${ok ? "may" : "may not"} contain \`${source}\`: a folder is imported through its mod.ts`, () => {
    const found = importsOf(file, source).map((specifier) => reachesPast(file, specifier))
      .filter((message) => message !== undefined);
    assert.equal(found.length, ok ? 0 : 1, `${found}`);
  });
}

/** The files of this project and the packages that are loaded together with a file. */
function allLoadedBy(entry: string): Set<string> {
  const all = new Set<string>();
  const load = (file: string) => {
    if (all.has(file)) return;
    all.add(file);
    if (!file.endsWith(".ts")) return;
    for (const specifier of loadedBy(file, readText(file)!)) {
      load(specifier.startsWith(".") ? posix.join(posix.dirname(file), specifier) : specifier);
    }
  };
  load(entry);
  return all;
}

Deno.test("main.ts loads a role only when it runs it: neither --version nor a worker needs one", () => {
  const heavy = [...allLoadedBy("main.ts")].filter((file) =>
    !/^(main\.ts|deno\.json|node:|pure-rand\/|lib\/(base|cli|io)\/|sim\/threads\/worker_name\.ts)/
      .test(
        file,
      )
  );
  assert.deepEqual(heavy, []);
});

Deno.test("`lbsim lb` loads no scenario and no other role", () => {
  const heavy = [...allLoadedBy("lb/command.ts")].filter((file) =>
    /^(echarts|lib\/(scenario|report|stats)\/|sim\/|backend\/|client\/|live\/)/.test(file)
  );
  assert.deepEqual(heavy, []);
});

Deno.test("a worker of the simulator loads neither zod nor YAML, charts or code that reads files", () => {
  const heavy = [...allLoadedBy("sim/threads/workers.ts")].filter((file) =>
    /^(zod|yaml|echarts|node:)|^lib\/(config|files|report|io)\//.test(file)
  );
  assert.deepEqual(heavy, []);
});

Deno.test("only main.ts ends the process", () => {
  assert.deepEqual(files.filter((file) => exits(file, readText(file)!)), ["main.ts"]);
});

const IMPORTS: readonly [file: string, source: string, ok: boolean][] = [
  ["lb/x.ts", 'import { a } from "../lib/a.ts";', true],
  ["lb/x.ts", 'import { a } from "./deep/a.ts";', true],
  ["lb/x.ts", 'import { a } from "../lib/core/mod.ts";', true],
  ["lb/x.ts", 'import { a } from "yaml";', true],
  ["lb/x.ts", 'import { a } from "../client/a.ts";', false],
  ["lb/x.ts", 'import type { A } from "../client/a.ts";', false],
  ["lb/deep/x.ts", 'export { a } from "../../client/a.ts";', false],
  ["lb/x.ts", 'export * from "../live/a.ts";', false],
  ["lb/x.ts", 'await import("../sim/a.ts");', false],
  ["lb/x.ts", 'import { a } from "../main.ts";', false],
  ["lb/x.ts", 'import { a } from "../tests/support/a.ts";', false],
  ["lb/x.ts", '// import { a } from "../client/a.ts";', true],
  ["lib/x.ts", 'import { a } from "../lb/a.ts";', false],
  ["lib/x.ts", 'import a from "../deno.json" with { type: "json" };', true],
  ["lib/core/x.ts", 'import { a } from "./algorithms/a.ts";', true],
  ["lib/core/algorithms/x.ts", 'import { a } from "../a.ts";', true],
  ["lib/core/x.ts", 'import { a } from "../duration.ts";', false],
  ["lib/core/x.ts", 'import { a } from "pure-rand/generator/xoroshiro128plus";', false],
  ["lib/core/x.ts", 'import { a } from "../base/mod.ts";', true],
  ["lib/base/x.ts", 'import { a } from "../core/mod.ts";', false],
  ["lib/base/x.ts", 'import { a } from "pure-rand/generator/xoroshiro128plus";', true],
  ["lib/core/x.ts", 'import { a } from "node:fs";', false],
  ["lib/core/x.ts", 'import { a } from "npm:pure-rand";', false],
  ["lib/core/x.ts", 'import "yaml";', false],
  ["lib/config/x.ts", 'import { a } from "../io/mod.ts";', false],
  ["lib/config/x.ts", 'import { a } from "../scenario/mod.ts";', false],
  ["lib/config/x.ts", 'import * as z from "zod";', true],
  ["lib/config/x.ts", 'import { a } from "node:util";', false],
  ["lib/report/x.ts", 'import { a } from "echarts/core";', true],
  ["sim/model/x.ts", 'import { a } from "../engine/mod.ts";', true],
  ["sim/model/x.ts", 'import { a } from "../threads/mod.ts";', false],
  ["sim/model/x.ts", 'import { a } from "../../lib/files/mod.ts";', false],
  ["sim/model/x.ts", 'import * as z from "zod";', false],
  ["sim/threads/x.ts", 'import { a } from "../study/mod.ts";', true],
  ["live/x.ts", 'import { a } from "../sim/a.ts";', true],
  ["live/x.ts", 'import { a } from "../main.ts";', false],
  ["main.ts", 'import { a } from "./live/a.ts";', true],
  ["newcomer/x.ts", 'import { a } from "../lib/a.ts";', false],
];

for (const [file, source, ok] of IMPORTS) {
  Deno.test(`${file} ${ok ? "may" : "may not"} contain \`${source}\`: parts import only what they may`, () => {
    const found = importsOf(file, source).map((specifier) => wrong(file, specifier))
      .filter((message) => message !== undefined);
    assert.equal(found.length, ok ? 0 : 1, `${found}`);
  });
}
