/** Validates data by a schema: the result is a value, or all mistakes in plain words. */
import * as z from "zod";
import { didYouMean, nameMeant } from "../base/mod.ts";

/** The place of a value: keys and indices from the root. */
export type Path = readonly (string | number)[];

/** A mistake in the value at a path. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
  readonly hint?: string | undefined;
  /** Whether the key is wrong, not its value. */
  readonly key?: boolean;
  /** The key that was probably meant by an unknown key. */
  readonly meant?: Path;
  /** The path of a missing value. */
  readonly missing?: Path;
  /** Paths on which this finding depends: a mistake there may be its cause. */
  readonly follows?: readonly Path[];
}

/** The number of findings that are described. Further ones are only counted, because each description costs time. */
export const FINDINGS_MAX = 20;

/** Validates data by a schema. There is a value only if there are no findings. */
export function validate<S extends z.ZodType>(
  schema: S,
  data: unknown,
  check: (data: unknown) => readonly Finding[],
): { readonly value?: z.output<S>; readonly findings: readonly Finding[] } {
  const inBeginning = wrongInBeginning(schema, data);
  if (inBeginning !== undefined) return { findings: inBeginning };
  const result = schema.safeParse(data);
  const wrong = result.success ? [] : findingsOf(result.error, schema, data);
  const findings = [...wrong, ...check(data).filter((finding) => !followsFrom(finding, wrong))];
  return findings.length === 0 && result.success ? { value: result.data, findings } : { findings };
}

/** The number of items of a long list that are checked first. */
const BEGINNING = 100;

/** The findings at the beginning of long lists; undefined if they are too few to leave the rest unchecked. */
function wrongInBeginning(schema: z.ZodType, data: unknown): readonly Finding[] | undefined {
  const beginning = beginningOf(data);
  if (beginning === data) return undefined;
  const result = schema.safeParse(beginning);
  const findings = result.success ? [] : findingsOf(result.error, schema, beginning);
  return findings.length < FINDINGS_MAX ? undefined : findings;
}

/** The data with shortened lists; the same object if no list is long. */
function beginningOf(data: unknown): unknown {
  if (Array.isArray(data)) {
    const items = data.slice(0, BEGINNING).map(beginningOf);
    return items.length === data.length && items.every((item, i) => item === data[i])
      ? data
      : items;
  }
  if (typeof data !== "object" || data === null) return data;
  const before = Object.entries(data);
  const after = before.map(([key, value]) => [key, beginningOf(value)] as const);
  return after.every(([, value], i) => value === before[i]![1]) ? data : Object.fromEntries(after);
}

type Issue = z.core.$ZodIssue;

function findingsOf(error: z.ZodError, schema: z.ZodType, data: unknown): Finding[] {
  const shape = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  const findings: Finding[] = [];
  for (const issue of error.issues) {
    if (findings.length < FINDINGS_MAX) findings.push(...findingsOfIssue(issue, [], shape, data));
    else findings.push(uncounted(issue.path as Path));
  }
  return eachOnce(findings);
}

/**
 * Returns each mistake once. A value that breaks several rules is one mistake. A key that is missing because it is
 * misspelt is also one mistake.
 */
function eachOnce(findings: readonly Finding[]): Finding[] {
  const misspelt = new Set(findings.map(({ meant }) => JSON.stringify(meant)));
  const first = new Map<string, Finding>();
  for (const finding of findings) {
    const { path, key, missing } = finding;
    const what = JSON.stringify([path, key, missing]);
    const isMisspelt = missing !== undefined && misspelt.has(JSON.stringify(missing));
    if (!isMisspelt && !first.has(what)) first.set(what, finding);
  }
  return [...first.values()];
}

/** A finding without a description, which is only counted. */
function uncounted(path: Path): Finding {
  return { path, message: "is wrong" };
}

function findingsOfIssue(issue: Issue, base: Path, shape: JsonSchema, data: unknown): Finding[] {
  const path = [...base, ...issue.path as (string | number)[]];
  const name = nameOf(path);
  const given = valueAt(data, path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key, i) => {
        if (i >= FINDINGS_MAX) return uncounted([...path, key]);
        const known = keysAt(shape, path, given);
        const meant = nameMeant(key, known);
        return {
          path: [...path, key],
          key: true,
          ...meant !== undefined && { meant: [...path, meant] },
          message: `unknown key "${key}"${path.length === 0 ? "" : ` in ${name}`}`,
          hint: meant === undefined ? `one of: ${known.join(", ")}` : `did you mean "${meant}"?`,
        };
      });
    case "invalid_union": {
      if (given === undefined && !isDiscriminated(issue)) return [missing(path, issue, shape)];
      // The kind of the value shows which alternatives may be meant.
      const meant = (issue.errors as Issue[][]).filter((errors) =>
        !errors.some((inner) => inner.path.length === 0 && isOfOtherKind(inner, given))
      );
      // Some alternatives are single words. The hint lists them, and the message is about another alternative.
      const words = meant.flat().flatMap((inner) =>
        inner.code === "invalid_value" && inner.path.length === 0 ? inner.values.map(String) : []
      );
      const rest = meant.find((errors) => errors.every(({ code }) => code !== "invalid_value"));
      const first = rest ?? meant[0];
      if (first !== undefined) {
        const findings = first.flatMap((inner) => findingsOfIssue(inner, path, shape, data));
        if (rest === undefined || words.length === 0) return findings;
        const word = typeof given === "string" ? didYouMean(given, words) : undefined;
        return findings.map((finding) => ({ hint: word ?? `or: ${words.join(", ")}`, ...finding }));
      }
      // The key that chooses the alternative is missing, or its value names none of them.
      if (isDiscriminated(issue)) {
        return [notOneOf(path, given, namesAt(shape, path))];
      }
      // The value is of the wrong kind for every alternative. The message of one may still help: 10 is nearly 10ms.
      const knowing = (issue.errors.flat() as Issue[]).find(({ path: inner, message }) =>
        inner.length === 0 && !/^(must be [^:]*$|Invalid)/.test(message)
      );
      if (knowing !== undefined) return [{ path, message: sentence(name, knowing.message) }];
      return [{ path, message: `${name} must be ${kindsAt(shape, path)}` }];
    }
    case "invalid_value":
      return [notOneOf(path, given, issue.values.map(String))];
    case "invalid_type":
      if (given === undefined) return [missing(path, issue, shape)];
      return [{
        path,
        message: sentence(name, wordsOf(issue, given)),
        hint: issue.expected === "array" && isItem(given, schemasAt(shape, [...path, 0]))
          ? `a list of one is written ${path.at(-1)}: [${given}]`
          : undefined,
      }];
    default:
      return [{ path, message: sentence(name, issue.message) }];
  }
}

/** Whether an alternative of a union is for values of another kind. */
function isOfOtherKind(issue: Issue, given: unknown): boolean {
  if (issue.code === "invalid_type") return issue.expected !== "int" || typeof given !== "number";
  return issue.code === "invalid_value" && typeof given === "object";
}

/** Whether a value has the type of an item of a list. `items` are the schemas of the items. */
function isItem(given: unknown, items: readonly JsonSchema[]): boolean {
  if (typeof given === "object") return false;
  const kind = typeof given;
  return items.some(({ type = kind }) =>
    type === kind || (type === "integer" && kind === "number")
  );
}

function isDiscriminated(issue: Issue): boolean {
  return (issue as { discriminator?: string }).discriminator !== undefined;
}

function missing(path: Path, { message }: Issue, shape: JsonSchema): Finding {
  return {
    path: path.slice(0, -1),
    key: path.length > 1,
    missing: path,
    message: `${nameOf(path)} is missing`,
    hint: exampleAt(shape, path) ?? (message.startsWith("must ") ? `it ${message}` : undefined),
  };
}

/** "retries must be …", but "listen: the port is missing". */
function sentence(name: string, words: string): string {
  return words.startsWith("must ") ? `${name} ${words}` : `${name}: ${words}`;
}

function notOneOf(path: Path, value: unknown, names: readonly string[]): Finding {
  const shown = typeof value === "string" ? `"${value}"` : JSON.stringify(value);
  if (value === undefined) {
    return { path, message: `${nameOf(path)} is missing`, hint: `one of: ${names.join(", ")}` };
  }
  const suggestion = typeof value === "string" ? didYouMean(value, names) : undefined;
  return {
    path,
    message: `unknown ${nameOf(path)} ${shown}`,
    hint: suggestion ?? `one of: ${names.join(", ")}`,
  };
}

function wordsOf(issue: Issue, given: unknown): string {
  if (issue.message.startsWith("must be ") || !issue.message.startsWith("Invalid")) {
    return issue.message;
  }
  const expected = (issue as { expected?: string }).expected;
  const noun = {
    object: "a group of keys",
    record: "a group of keys",
    array: "a list (lines that begin with -)",
  }[expected ?? ""];
  return `must be ${noun ?? expected ?? "something else"}, not ${kindOf(given)}`;
}

function kindOf(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a group of keys";
  return typeof value === "string" ? `"${value}"` : String(value);
}

/** `health_check.interval`, `backends[1].address`. */
export function nameOf(path: Path): string {
  if (path.length === 0) return "the file";
  return path.map((step, i) =>
    typeof step === "number" ? `[${step + 1}]` : i === 0 ? step : `.${step}`
  ).join("");
}

/** The value at a path; undefined if there is none. */
export function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

/** The part of JSON Schema that is used here. */
interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly examples?: readonly unknown[];
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  const inner = [...schema.anyOf ?? [], ...schema.oneOf ?? []];
  return inner.length === 0 ? [schema] : inner.flatMap(alternatives);
}

function schemasAt(schema: JsonSchema, path: Path): JsonSchema[] {
  const [step, ...rest] = path;
  const here = alternatives(schema);
  if (step === undefined) return here;
  return here.flatMap((one) => {
    const { items, properties, additionalProperties: others } = one;
    const next = typeof step === "number" ? items : properties?.[step] ?? others;
    return typeof next === "object" ? schemasAt(next, rest) : [];
  });
}

/** The keys that a value may have. If there are alternatives, its `name` selects one. */
function keysAt(schema: JsonSchema, path: Path, value: unknown): string[] {
  const all = schemasAt(schema, path).filter(({ properties }) => properties !== undefined);
  const chosen = all.filter(({ properties }) => {
    const names = properties?.name;
    const name = valueAt(value, ["name"]);
    return names?.const === name || names?.enum?.includes(String(name));
  });
  const meant = all.length > 1 && chosen.length > 0 ? chosen : all;
  return [...new Set(meant.flatMap(({ properties = {} }) => Object.keys(properties)))];
}

function namesAt(schema: JsonSchema, path: Path): string[] {
  return schemasAt(schema, path).flatMap((one) => one.enum ?? (one.const ? [one.const] : []));
}

function kindsAt(schema: JsonSchema, path: Path): string {
  const kinds: Readonly<Record<string, string>> = {
    string: "text",
    object: "a group of keys",
    array: "a list",
    integer: "a whole number",
    number: "a number",
    boolean: "true or false",
  };
  const all = schemasAt(schema, path).map(({ type }) => kinds[type ?? ""] ?? "something else");
  return [...new Set(all)].join(" or ");
}

function exampleAt(schema: JsonSchema, path: Path): string | undefined {
  const [example] = schemasAt(schema, path).flatMap((one) => one.examples ?? []);
  return example === undefined ? undefined : `add it, like \`${path.at(-1)}: ${example}\``;
}

/** The later findings that do not follow from earlier ones. */
export function independent(later: readonly Finding[], earlier: readonly Finding[]): Finding[] {
  return later.filter((finding) =>
    !isWrong(finding.path, earlier) && !followsFrom(finding, earlier)
  );
}

/** Whether a mistake may be the consequence of others. */
function followsFrom({ follows = [] }: Finding, others: readonly Finding[]): boolean {
  return follows.some((path) => isWrong(path, others));
}

/** Whether there is a mistake at a path, under it or above it. */
function isWrong(path: Path, findings: readonly Finding[]): boolean {
  return findings.some((one) => isPrefix(path, one.path) || isPrefix(one.path, path));
}

/** Whether one path begins with another. */
export function isPrefix(prefix: Path, path: Path): boolean {
  // A number may be the key of a group, too.
  return prefix.every((step, i) => i < path.length && String(step) === String(path[i]));
}

/** Data without its mistakes, so that the rest can be checked. */
export interface Salvaged<T> {
  readonly value: T;
  readonly data: unknown;
  /** The path of a value of this data in the data as written in the file. */
  original(path: Path): Path;
}

/** How often mistakes are removed. A removed value may be a required one, so each removal can reveal another mistake. */
const ROUNDS_MAX = 6;

/**
 * Removes all mistakes from data, and returns the value of the rest; undefined if nothing is left.
 *
 * @param findings The mistakes in the data.
 */
export function salvage<S extends z.ZodType>(
  schema: S,
  data: unknown,
  findings: readonly Finding[],
): Salvaged<z.output<S>> | undefined {
  const origins: Origins = new WeakMap();
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const wrong = new Set(findings.map(({ path }) => JSON.stringify(entryOf(data, path))));
    if (wrong.has("[]")) return undefined;
    data = without(data, [], wrong, origins);
    // A check of a long list takes long, so it is made only if the beginning is right.
    const inBeginning = wrongInBeginning(schema, data);
    if (inBeginning !== undefined) {
      findings = inBeginning;
      continue;
    }
    const result = schema.safeParse(data);
    if (result.success) {
      const salvaged = data;
      const original = (path: Path) => originalOf(salvaged, path, origins);
      return { value: result.data, data, original };
    }
    findings = findingsOf(result.error, schema, data);
  }
  return undefined;
}

/** The indices that the items of a list had before others were removed. */
type Origins = WeakMap<readonly unknown[], readonly number[]>;

/** The path of the innermost list item that contains the value; without a list, the path itself. */
function entryOf(data: unknown, path: Path): Path {
  const isItem = (step: string | number, i: number) =>
    typeof step === "number" && Array.isArray(valueAt(data, path.slice(0, i)));
  const last = path.findLastIndex(isItem);
  return last === -1 ? path : path.slice(0, last + 1);
}

function without(data: unknown, path: Path, wrong: ReadonlySet<string>, origins: Origins): unknown {
  if (typeof data !== "object" || data === null) return data;
  const isRight = ([key]: readonly [string | number, unknown]) =>
    !wrong.has(JSON.stringify([...path, key]));
  if (!Array.isArray(data)) {
    return Object.fromEntries(
      Object.entries(data).filter(isRight)
        .map(([key, value]) => [key, without(value, [...path, key], wrong, origins)]),
    );
  }
  const kept = [...data.entries()].filter(isRight);
  const items = kept.map(([i, item]) => without(item, [...path, i], wrong, origins));
  const before = origins.get(data);
  origins.set(items, kept.map(([i]) => before?.[i] ?? i));
  return items;
}

function originalOf(data: unknown, path: Path, origins: Origins): Path {
  const [step, ...rest] = path;
  if (step === undefined) return [];
  const list = Array.isArray(data) ? origins.get(data) : undefined;
  const original = typeof step === "number" ? list?.[step] ?? step : step;
  return [original, ...originalOf(valueAt(data, [step]), rest, origins)];
}
