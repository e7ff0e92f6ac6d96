import * as z from "zod";
import { configSchema } from "./schema.ts";

interface Property {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Property>>;
  readonly items?: Property;
  readonly required?: readonly string[];
}

/** The JSON Schema of config.yaml, by which editors complete and check it. */
export function jsonSchema(): Record<string, unknown> {
  return {
    title: "lbsim config.yaml",
    ...z.toJSONSchema(configSchema, { io: "input", target: "draft-7" }),
  };
}

/** The reference of config.yaml: a Markdown table with a line for each key. */
export function referenceTable(): string {
  const lines = rows("", jsonSchema() as Property);
  return ["| key | default | meaning |", "| --- | --- | --- |", ...lines].join("\n");
}

function rows(prefix: string, { properties = {}, required = [] }: Property): string[] {
  return Object.entries(properties).flatMap(([key, property]) => {
    const name = `${prefix}${key}`;
    const inner = property.items?.properties !== undefined
      ? rows(`${name}[].`, property.items)
      : rows(`${name}.`, property);
    const { description } = property;
    if (description === undefined) return inner;
    const initial = required.includes(key) ? "*required*" : defaultOf(property);
    return [`| \`${name}\` | ${initial} | ${description.replaceAll("|", "\\|")} |`, ...inner];
  });
}

function defaultOf(property: Property): string {
  const { default: value } = property;
  if (value === undefined) return "";
  return `\`${Array.isArray(value) ? `[${value.join(", ")}]` : String(value)}\``;
}
