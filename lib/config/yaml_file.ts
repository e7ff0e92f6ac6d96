/** A YAML text and a schema → a value, or everything that is wrong with the text. */
import { isMap, isNode, isScalar, isSeq, type Pair, type YAMLMap } from "yaml";
import type * as z from "zod";
import { eventLoopTurn, localShortage } from "../io/mod.ts";
import { escapeText, UserError } from "../base/mod.ts";
import { isData } from "./data.ts";
import { type Diagnostic, DiagnosticsError, type Source, type Span } from "./diagnostic.ts";
import { type Finding, FINDINGS_MAX, type Path, validate } from "./findings.ts";
import { readYaml, type YamlText } from "./yaml_text.ts";

/** What an empty configuration lacks. */
export const NEEDS = "it needs at least `backends`";

const MIB = 1024 * 1024;
/** Larger files are refused: no configuration is, and a mistaken path may lead anywhere. */
const FILE_BYTES_MAX = MIB;
/** A pipe that is open already, as a shell makes one of `<(…)`. */
const OPEN_PIPE = /^\/(dev|proc\/self)\/fd\/\d+$/;

/** The system could not read a file now; it may be able to later. */
export class UnreadableError extends UserError {
  override readonly name = "UnreadableError";

  constructor(file: string, cause: unknown) {
    const why = localShortage(cause) === "descriptors"
      ? "this process has as many files and connections open as it may (`ulimit -n`)"
      : (cause as Error).message;
    super(`${escapeText(file)}: cannot be read now: ${escapeText(why)}`, { cause });
  }
}

/**
 * Reads a text file.
 *
 * @param hint What to do if it is missing.
 * @param bytesMax More than this is huge.
 * @throws {UserError} if it is missing, unreadable, not a file, huge, or not UTF-8; an
 * `UnreadableError` if it may be readable later.
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
    throw new UserError(`${escapeText(file)}: is not UTF-8 text`, {
      exitCode: 2,
      hint: "save it as UTF-8",
    });
  }
}

/**
 * Reads a file.
 *
 * @param hint What to do if it is missing.
 * @param bytesMax More than this is huge.
 * @throws {UserError} as `readText`.
 */
export async function readBytes(
  file: string,
  hint?: string,
  bytesMax = FILE_BYTES_MAX,
): Promise<Uint8Array> {
  const fail = (message: string, hint?: string): never => {
    throw new UserError(`${escapeText(file)}: ${message}`, {
      exitCode: 2,
      ...hint !== undefined && { hint },
    });
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
    throw new UnreadableError(file, error);
  }
}

/** A text that was read as YAML, able to say where things are in it. */
export class YamlFile {
  readonly source: Source;
  /** Its value as plain data; undefined where there is none. */
  readonly data: unknown;
  readonly #yaml: YamlText;

  /** Reads a text in one go. */
  constructor(source: Source, yaml: YamlText = finish(readYaml(source.text))) {
    this.source = source;
    this.#yaml = yaml;
    this.data = yaml.isBroken ? undefined : yaml.document.toJS({ maxAliasCount: -1 });
  }

  /**
   * Reads a text that may be long, and lets the event loop turn meanwhile.
   *
   * @throws {DiagnosticsError} if its beginning has so many mistakes that the rest need not be read.
   */
  static async read(source: Source, schema: z.ZodType): Promise<YamlFile> {
    refuseBeginning(source, schema);
    return new YamlFile(source, await finishInTurns(readYaml(source.text)));
  }

  /**
   * The value, by the schema.
   *
   * @param check Finds what a schema cannot say. It is handed the data as it was written, which may be
   * wrong in any way.
   * @throws {DiagnosticsError} with everything that is wrong.
   */
  parse<S extends z.ZodType>(schema: S, check: (data: unknown) => readonly Finding[]): z.output<S> {
    this.mustBeReadable(NEEDS);
    const { value, findings } = validate(schema, this.data, check);
    if (findings.length > 0 || !this.isSound) throw this.error(findings);
    return value!;
  }

  /**
   * Makes sure that there is something to look at.
   *
   * @throws {DiagnosticsError} if it is not YAML, or empty.
   */
  mustBeReadable(needs: string): void {
    if (this.#yaml.isBroken) throw this.error([]);
    if (this.data !== null && this.data !== undefined) return;
    const empty = { message: "there is nothing in it", hint: needs };
    throw this.isSound ? new DiagnosticsError([empty], this.source) : this.error([]);
  }

  /** Everything that is wrong with the file: its YAML, and what was found in it. */
  error(
    findings: readonly Finding[],
    options: { readonly exitCode?: 1 | 2; readonly files?: readonly string[] } = {},
  ): DiagnosticsError {
    const { diagnostics: syntax } = this.#yaml;
    // A finding at the place of a YAML mistake is a consequence of it.
    const follows = ({ at }: Diagnostic) =>
      syntax.some(({ at: place }) =>
        at && place && at.start >= place.start && at.start <= place.end
      );
    const located = findings.slice(0, FINDINGS_MAX).map((finding) => this.locate(finding))
      .filter((diagnostic) => !follows(diagnostic));
    const all = [...syntax, ...located];
    const more = Math.max(0, findings.length - FINDINGS_MAX) +
      Math.max(0, all.length - FINDINGS_MAX);
    return new DiagnosticsError(all.slice(0, FINDINGS_MAX), this.source, { ...options, more });
  }

  /** Whether there is nothing wrong with its YAML. */
  get isSound(): boolean {
    return this.#yaml.diagnostics.length === 0;
  }

  /** A finding with its place in the text. */
  locate({ path, message, hint, key = false }: Finding): Diagnostic {
    return { message, hint, at: this.#span(path, key) };
  }

  /** The place of a value or key; of the closest one around it, if it is not there itself. */
  #span(path: Path, key: boolean): Span | undefined {
    const parent = this.#nodeAt(path.slice(0, -1));
    const pairs = isMap(parent) && path.length > 0 ? pairsOf(parent, path.at(-1)!) : [];
    const value = this.#nodeAt(path);
    const node = pairs.length > 0 && (key || !isNode(value)) ? pairs[0]!.key : value;
    if (isNode(node) && node.range) return this.#firstLine(node.range);
    return path.length > 0 ? this.#span(path.slice(0, -1), key) : undefined;
  }

  #nodeAt(path: Path): unknown {
    let node: unknown = this.#yaml.document.contents;
    for (const step of path) {
      // Of a key that is there twice, the last value is the one that is read.
      if (isMap(node)) node = pairsOf(node, step).at(-1)?.value;
      else node = isSeq(node) ? node.items[Number(step)] : undefined;
    }
    return node;
  }

  /** A block that goes over many lines is marked by its first. */
  #firstLine([start, end]: readonly [number, number, number]): Span {
    const newline = this.source.text.indexOf("\n", start);
    const lineEnd = newline === -1 ? end : Math.min(newline, end);
    return { start, end: Math.max(lineEnd, start + 1) };
  }
}

function pairsOf(map: YAMLMap, key: string | number): Pair[] {
  return map.items.filter((item) =>
    String(isScalar(item.key) ? item.key.value : item.key) === String(key)
  );
}

/** The part of a text that is checked before the rest is read. */
const BEGINNING = 4 * 1024;

/** @throws {DiagnosticsError} if the file begins with so many mistakes that it cannot be the right one. */
function refuseBeginning(source: Source, schema: z.ZodType): void {
  if (source.text.length <= BEGINNING) return;
  const text = source.text.slice(0, source.text.lastIndexOf("\n", BEGINNING) + 1);
  const yaml = new YamlFile({ ...source, text });
  // The cut may have broken it, and missing keys may follow later.
  if (yaml.data === undefined || yaml.data === null) return;
  const { findings } = validate(schema, yaml.data, () => []);
  const wrong = isData(yaml.data) ? findings.filter(({ path }) => path.length > 0) : findings;
  const error = yaml.error(wrong);
  if (!isData(yaml.data) || error.diagnostics.length > FINDINGS_MAX) throw error;
}

function finish<T>(steps: Generator<void, T>): T {
  while (true) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

async function finishInTurns<T>(steps: Generator<void, T>): Promise<T> {
  while (true) {
    const { done, value } = steps.next();
    if (done) return value;
    await eventLoopTurn();
  }
}
