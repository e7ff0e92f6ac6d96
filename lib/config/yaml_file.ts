/** A YAML text and a schema → a value, or everything that is wrong with the text. */
import { type Document, isMap, isNode, isScalar, type Pair, parseDocument } from "yaml";
import * as z from "zod";
import { UserError } from "../user_error.ts";
import { type Diagnostic, DiagnosticsError, type Source, type Span } from "./diagnostic.ts";
import { didYouMean } from "./suggest.ts";

/** Where a value is: keys and indices from the root. */
export type Path = readonly (string | number)[];

/** Something wrong with the value at a path. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
  readonly hint?: string | undefined;
  /** Whether it is the key that is wrong, rather than its value. */
  readonly key?: boolean;
}

const MIB = 1024 * 1024;
/** Larger files are refused: no configuration is, and a mistaken path may lead anywhere. */
const FILE_BYTES_MAX = MIB;
/** How often aliases may be expanded: enough for real use, too little for a bomb. */
const ALIASES_MAX = 1000;
/** A pipe that is open already, as a shell makes one of `<(…)`. */
const OPEN_PIPE = /^\/(dev|proc\/self)\/fd\/\d+$/;

/**
 * Reads a text file.
 *
 * @param hint What to do if it is missing.
 * @param bytesMax More than this is huge.
 * @throws {UserError} if it is missing, unreadable, not a file, huge, or not UTF-8.
 */
export async function readText(
  file: string,
  hint = "name the right one: config.yaml in this directory is read if none is named",
  bytesMax = FILE_BYTES_MAX,
): Promise<Source> {
  const bytes = await readBytes(file, hint, bytesMax);
  try {
    return { file, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    throw new UserError(`${file}: is not UTF-8 text`, { exitCode: 2, hint: "save it as UTF-8" });
  }
}

/**
 * Reads a file.
 *
 * @param hint What to do if it is missing.
 * @param bytesMax More than this is huge.
 * @throws {UserError} if it is missing, unreadable, not a file, or huge.
 */
export async function readBytes(
  file: string,
  hint?: string,
  bytesMax = FILE_BYTES_MAX,
): Promise<Uint8Array> {
  const fail = (message: string, hint?: string): never => {
    throw new UserError(`${file}: ${message}`, { exitCode: 2, ...hint !== undefined && { hint } });
  };
  try {
    const info = await Deno.stat(file);
    if (info.isDirectory) fail("is a directory", "name the file in it");
    // Nobody may ever write to a pipe, and a device may have no end.
    if (!info.isFile && !OPEN_PIPE.test(file)) fail("is a pipe, a device or a socket, not a file");
    if (info.size > bytesMax) {
      fail(`is larger than ${bytesMax / MIB} MB: this cannot be the right file`);
    }
    return await Deno.readFile(file);
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (error instanceof Deno.errors.NotFound) return fail("there is no such file", hint);
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
      return fail("this user may not read it");
    }
    return fail((error as Error).message);
  }
}

/** A text that was read as YAML, able to say where things are in it. */
export class YamlFile {
  readonly source: Source;
  /** Its value as plain data; undefined where there is none. */
  readonly data: unknown;
  readonly #document: Document.Parsed;
  readonly #syntax: readonly Diagnostic[];

  constructor(source: Source) {
    this.source = source;
    this.#document = parseDocument(source.text, { prettyErrors: false });
    const syntax = this.#document.errors.map(({ code, message, pos: [start, end] }) =>
      syntaxDiagnostic(code, message, { start, end: Math.max(end, start + 1) }, source.text)
    );
    try {
      this.data = this.#document.toJS({ maxAliasCount: ALIASES_MAX });
    } catch (error) {
      this.data = undefined;
      if (syntax.length === 0) syntax.push({ message: (error as Error).message });
    }
    this.#syntax = syntax;
  }

  /**
   * The value, by the schema.
   *
   * @param check Finds what a schema cannot say. It is handed the data as it was written, which may be
   * wrong in any way.
   * @throws {DiagnosticsError} with everything that is wrong.
   */
  parse<S extends z.ZodType>(schema: S, check: (data: unknown) => readonly Finding[]): z.output<S> {
    this.mustBeReadable("it needs at least `backends`");
    const { value, findings } = validate(schema, this.data, check);
    if (findings.length > 0 || this.#syntax.length > 0) throw this.error(findings);
    return value!;
  }

  /**
   * Makes sure that there is something to look at.
   *
   * @throws {DiagnosticsError} if it is not YAML, or empty.
   */
  mustBeReadable(needs: string): void {
    // What a parser complains of after its first complaint is mostly a consequence of it.
    const broken = this.#syntax.find(({ message }) => message.startsWith("not valid YAML"));
    if (broken !== undefined) throw new DiagnosticsError([broken], this.source);
    if (this.data !== null && this.data !== undefined) return;
    const empty = { message: "there is nothing in it", hint: needs };
    throw new DiagnosticsError(this.#syntax.length > 0 ? this.#syntax : [empty], this.source);
  }

  /** Everything that is wrong with the file: its YAML, and what was found in it. */
  error(findings: readonly Finding[]): DiagnosticsError {
    return new DiagnosticsError(
      [...this.#syntax, ...findings.map((finding) => this.locate(finding))],
      this.source,
    );
  }

  /** Whether there is anything wrong with its YAML. */
  get isSound(): boolean {
    return this.#syntax.length === 0;
  }

  /** A finding with its place in the text. */
  locate({ path, message, hint, key = false }: Finding): Diagnostic {
    return { message, hint, at: this.#span(path, key) };
  }

  /** The place of a value or key; of the closest one around it, if it is not there itself. */
  #span(path: Path, key: boolean): Span | undefined {
    const last = path.at(-1);
    if (last !== undefined) {
      const parent = this.#document.getIn(path.slice(0, -1), true);
      if (isMap(parent)) {
        const pair = (parent.items as Pair[]).find((item) =>
          isScalar(item.key) ? String(item.key.value) === String(last) : item.key === last
        );
        const node = key || !isNode(pair?.value) ? pair?.key : pair.value;
        if (isNode(node) && node.range) return this.#firstLine(node.range);
      } else {
        const node = this.#document.getIn(path, true);
        if (isNode(node) && node.range) return this.#firstLine(node.range);
      }
      return this.#span(path.slice(0, -1), key);
    }
    const root = this.#document.contents;
    return isNode(root) && root.range ? this.#firstLine(root.range) : undefined;
  }

  /** A block that goes over many lines is marked by its first. */
  #firstLine([start, end]: readonly [number, number, number]): Span {
    const newline = this.source.text.indexOf("\n", start);
    const lineEnd = newline === -1 ? end : Math.min(newline, end);
    return { start, end: Math.max(lineEnd, start + 1) };
  }
}

/** The value of data by a schema, and everything that is wrong with it; no value if anything is. */
export function validate<S extends z.ZodType>(
  schema: S,
  data: unknown,
  check: (data: unknown) => readonly Finding[],
): { readonly value?: z.output<S>; readonly findings: readonly Finding[] } {
  const result = schema.safeParse(data);
  const findings = [
    ...result.success ? [] : findingsOf(result.error, schema, data),
    ...check(data),
  ];
  return findings.length === 0 && result.success ? { value: result.data, findings } : { findings };
}

function syntaxDiagnostic(code: string, message: string, at: Span, text: string): Diagnostic {
  if (code === "DUPLICATE_KEY") {
    // After a key without a value, the place is where that value would be.
    const [before = "", key = ""] = /^(?:\s|#.*\n)*([\w-]*)/.exec(text.slice(at.start)) ?? [];
    const end = at.start + before.length;
    return {
      message: `"${key}" is there twice`,
      hint: "keep one of them",
      at: { start: end - key.length, end: Math.max(end, end - key.length + 1) },
    };
  }
  if (code === "MULTIPLE_DOCS") {
    return { message: "not valid YAML: a second document begins here", hint: "remove the ---", at };
  }
  if (code === "TAB_AS_INDENT") {
    return { message: "not valid YAML: a tab is used to indent", hint: "use spaces", at };
  }
  const first = message.split("\n")[0]!;
  return { message: `not valid YAML: ${first.charAt(0).toLowerCase()}${first.slice(1)}`, at };
}

type Issue = z.core.$ZodIssue;

function findingsOf(error: z.ZodError, schema: z.ZodType, data: unknown): Finding[] {
  const shape = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  return error.issues.flatMap((issue) => findingsOfIssue(issue, [], shape, data));
}

function findingsOfIssue(issue: Issue, base: Path, shape: JsonSchema, data: unknown): Finding[] {
  const path = [...base, ...issue.path as (string | number)[]];
  const name = nameOf(path);
  const given = valueAt(data, path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => {
        const known = keysAt(shape, path, given);
        return {
          path: [...path, key],
          key: true,
          message: `unknown key "${key}"${path.length === 0 ? "" : ` in ${name}`}`,
          hint: didYouMean(key, known) ?? `there is: ${known.join(", ")}`,
        };
      });
    case "invalid_union": {
      // The alternative that was meant is the one whose kind of value this is.
      const otherKind = (inner: Issue) =>
        inner.path.length === 0 && (inner.code === "invalid_type" ||
          (inner.code === "invalid_value" && typeof given === "object"));
      const meant = issue.errors.find((errors) => !(errors as Issue[]).some(otherKind));
      if (meant !== undefined) {
        return meant.flatMap((inner) => findingsOfIssue(inner as Issue, path, shape, data));
      }
      // What chooses among the alternatives is there or not, and names none of them.
      if ((issue as { discriminator?: string }).discriminator !== undefined) {
        return [notOneOf(path, given, namesAt(shape, path))];
      }
      // Of another kind than all of them, yet one may know what was meant: 10 is nearly 10ms.
      const knowing = (issue.errors.flat() as Issue[]).find(({ path: inner, message }) =>
        inner.length === 0 && !/^(must be |Invalid)/.test(message)
      );
      if (knowing !== undefined) return [{ path, message: sentence(name, knowing.message) }];
      return [{ path, message: `${name} must be ${kindsAt(shape, path)}` }];
    }
    case "invalid_value":
      return [notOneOf(path, given, issue.values.map(String))];
    case "invalid_type":
      if (given === undefined) {
        return [{
          path: path.slice(0, -1),
          key: path.length > 1,
          message: `${name} is missing`,
          hint: exampleAt(shape, path) ??
            (issue.message.startsWith("must ") ? `it ${issue.message}` : undefined),
        }];
      }
      return [{ path, message: sentence(name, wordsOf(issue, given)) }];
    default:
      return [{ path, message: sentence(name, issue.message) }];
  }
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
  const noun = { object: "a group of keys", array: "a list (lines that begin with -)" }[
    expected ?? ""
  ];
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

/** The value at a path, if the data goes that far. */
export function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

/** As much of JSON Schema as is looked at here. */
interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
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
    const next = typeof step === "number" ? one.items : one.properties?.[step];
    return next === undefined ? [] : schemasAt(next, rest);
  });
}

/** The keys that a value may have; of several alternatives, those of the one that its `name` chooses. */
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
