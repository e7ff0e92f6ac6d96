/** Writes what is generated from the schema: config.schema.json, and the reference in README.md. */
import { jsonSchema, referenceTable } from "./reference.ts";

const SCHEMA = new URL("./config.schema.json", import.meta.url);
const README = new URL("../../README.md", import.meta.url);

/** README.md with the reference between its markers. */
export function withReference(readme: string): string {
  const start = "<!-- config-reference:start -->";
  const end = "<!-- config-reference:end -->";
  const [before, rest] = readme.split(start);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) {
    throw new Error(`README.md has no ${start} … ${end}`);
  }
  // The formatter would pad the columns to the longest cell, off any screen.
  const [from, to] = ["<!-- deno-fmt-ignore-start -->", "<!-- deno-fmt-ignore-end -->"];
  return `${before}${start}\n${from}\n\n${referenceTable()}\n\n${to}\n${end}${after}`;
}

/** The text of config.schema.json. */
export function schemaText(): string {
  return JSON.stringify(jsonSchema(), null, 2) + "\n";
}

if (import.meta.main) {
  await Deno.writeTextFile(SCHEMA, schemaText());
  await Deno.writeTextFile(README, withReference(await Deno.readTextFile(README)));
}
