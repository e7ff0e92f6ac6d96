/** Writes the generated files: JSON Schemas for editors, references in the docs, worksheets. */
import { openApi } from "../lib/api/mod.ts";
import { configSchema, jsonSchema, referenceTable } from "../lib/config/mod.ts";
import { metricInfo, metricNames, scopeOf } from "../lib/metrics/mod.ts";
import { COMMON, MODELS } from "../sim/mod.ts";
import { scenarioSchema } from "../lib/scenario/mod.ts";
import { worksheets } from "./worksheets.ts";

const ROOT = new URL("../", import.meta.url);

/** Files that are generated as a whole, by their path. */
export const GENERATED: Readonly<Record<string, () => string>> = {
  "lib/config/config.schema.json": () => schemaText("lbsim config.yaml", configSchema),
  "lib/scenario/scenario.schema.json": () => schemaText("lbsim scenario", scenarioSchema),
  "docs/openapi.json": () => JSON.stringify(openApi(), null, 2) + "\n",
  "docs/worksheets.html": () => worksheets(Deno.readTextFileSync(new URL("docs/lab.md", ROOT))),
};

/** The generated parts of documents, each with its path and the name of its markers. */
export const GENERATED_PARTS: readonly {
  readonly path: string;
  readonly name: string;
  readonly text: () => string;
}[] = [
  { path: "docs/config.md", name: "config-reference", text: () => referenceTable(configSchema) },
  {
    path: "docs/scenarios.md",
    name: "scenario-reference",
    text: () => referenceTable(scenarioSchema, isElsewhere),
  },
  { path: "docs/scenarios.md", name: "metrics", text: metricsTable },
  { path: "docs/scenarios.md", name: "theory", text: theoryTable },
];

/**
 * A document in which this text replaces the part between the markers.
 *
 * @throws {Error} if the markers are not there.
 */
export function withPart(document: string, name: string, text: string): string {
  const start = `<!-- ${name}:start -->`;
  const end = `<!-- ${name}:end -->`;
  const [before, rest] = document.split(start);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`there is no ${start} … ${end}`);
  // The formatter would make each column as wide as its longest cell, and the table wider than a
  // screen.
  const [from, to] = ["<!-- deno-fmt-ignore-start -->", "<!-- deno-fmt-ignore-end -->"];
  return `${before}${start}\n${from}\n\n${text}\n\n${to}\n${end}${after}`;
}

/** The balancer's keys are in docs/config.md, and distributions have a chapter of their own. */
function isElsewhere(keys: readonly string[]): boolean {
  return keys.includes("health_check") || keys.includes("hyperexponential");
}

function schemaText(title: string, schema: typeof configSchema | typeof scenarioSchema): string {
  return JSON.stringify(jsonSchema(title, schema), null, 2) + "\n";
}

function metricsTable(): string {
  const lines = metricNames().map((name) => {
    const { unit, better = "", meaning } = metricInfo(name);
    const ofBackend = `${name}(B1)`;
    const shown = { run: name, backend: ofBackend, either: `${name}, ${ofBackend}` }[scopeOf(name)];
    return `| \`${shown}\` | ${UNITS[unit]} | ${better} | ${meaning} |`;
  });
  return ["| metric | unit | better | meaning |", "| --- | --- | --- | --- |", ...lines].join("\n");
}

const UNITS = { ms: "ms", share: "%", count: "", per_s: "/s", ratio: "" } as const;

/** The models of queueing theory, and the assumptions of each formula. */
function theoryTable(): string {
  const lines = MODELS.map(({ name, gives, assumes, source }) => {
    const metrics = gives.map((metric) => `\`${metric}\``).join(", ");
    return `| ${name} | ${metrics} | ${assumes.map(({ text }) => text).join("; ")} | ${source} |`;
  });
  return [
    "All models assume:",
    "",
    ...COMMON.map(({ text }) => `- ${text}`),
    "",
    "| model | gives | further assumptions | source |",
    "| --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(GENERATED)) {
    await Deno.writeTextFile(new URL(path, ROOT), text());
  }
  for (const { path, name, text } of GENERATED_PARTS) {
    const url = new URL(path, ROOT);
    await Deno.writeTextFile(url, withPart(await Deno.readTextFile(url), name, text()));
  }
}
