/** Documentation made from a schema: a JSON Schema for editors, and a reference table. */
import * as z from "zod";

interface Property {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Property>>;
  readonly items?: Property;
  readonly anyOf?: readonly Property[];
  readonly additionalProperties?: Property | boolean;
  readonly required?: readonly string[];
}

/** The JSON Schema with which editors complete and check a file. */
export function jsonSchema(title: string, schema: z.ZodType): Record<string, unknown> {
  return {
    title,
    ...z.toJSONSchema(schema, {
      io: "input",
      target: "draft-7",
      // zod leaves out a documented default where parsing changes the form of the value.
      override({ zodSchema, jsonSchema }) {
        const documented = z.globalRegistry.get(zodSchema)?.default;
        if (documented !== undefined) jsonSchema.default ??= documented as z.core.util.JSONType;
      },
    }),
  };
}

/**
 * The reference of a file: a Markdown table with a line for each key.
 *
 * @param isElsewhere Whether a group with these keys is described in another place, so that the table leaves them out.
 */
export function referenceTable(
  schema: z.ZodType,
  isElsewhere: (keys: readonly string[]) => boolean = () => false,
): string {
  const lines = rows("", jsonSchema("", schema) as Property, isElsewhere);
  return ["| key | default | meaning |", "| --- | --- | --- |", ...lines].join("\n");
}

type IsElsewhere = (keys: readonly string[]) => boolean;

function rows(prefix: string, property: Property, isElsewhere: IsElsewhere): string[] {
  const { properties = {}, required = [] } = property;
  if (isElsewhere(Object.keys(properties))) return [];
  return Object.entries(properties).flatMap(([key, inner]) => {
    const name = `${prefix}${key}`;
    const below = inside(name, inner, isElsewhere);
    const { description } = inner;
    if (description === undefined) return below;
    const initial = required.includes(key) ? "*required*" : defaultOf(inner);
    return [`| \`${name}\` | ${initial} | ${description.replaceAll("|", "\\|")} |`, ...below];
  });
}

/** The lines for the keys inside a value: in a group, in the items of a list, or in each value of a group. */
function inside(name: string, property: Property, isElsewhere: IsElsewhere): string[] {
  const { items, additionalProperties, anyOf } = property;
  if (items?.properties !== undefined) return rows(`${name}[].`, items, isElsewhere);
  if (typeof additionalProperties === "object") {
    return rows(`${name}.ID.`, additionalProperties, isElsewhere);
  }
  const group = anyOf?.find(({ properties }) => properties !== undefined);
  return rows(`${name}.`, group ?? property, isElsewhere);
}

function defaultOf(property: Property): string {
  const { default: value } = property;
  if (value === undefined || isEmpty(value)) return "";
  if (typeof value !== "object") return `\`${value}\``;
  return `\`${Array.isArray(value) ? `[${value.join(", ")}]` : flow(value)}\``;
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** A value in YAML, on one line. */
function flow(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const entries = Object.entries(value).map(([key, inner]) => `${key}: ${flow(inner)}`);
  return `{${entries.join(", ")}}`;
}
