/** A YAML text, its data, and the places of values in it. */
import { isMap, isNode, isScalar, isSeq, type Pair, type YAMLMap } from "yaml";
import type * as z from "zod";
import { finished } from "../base/mod.ts";
import { isData } from "./data.ts";
import { type Diagnostic, DiagnosticsError, type Source, type Span } from "./diagnostic.ts";
import { type Finding, FINDINGS_MAX, type Path, validate } from "./findings.ts";
import { readYaml, type YamlText } from "./yaml_text.ts";

/** A text that was read as YAML. It knows the place of each value in the text. */
export class YamlFile {
  readonly source: Source;
  /** Its value as plain data; undefined if there is none. */
  readonly data: unknown;
  readonly #yaml: YamlText;

  /** Reads a text in one step. */
  constructor(source: Source, yaml: YamlText = finished(readYaml(source.text))) {
    this.source = source;
    this.#yaml = yaml;
    this.data = yaml.isBroken ? undefined : yaml.document.toJS({ maxAliasCount: -1 });
  }

  /**
   * Reads a text that may be long, in small steps.
   *
   * @throws {DiagnosticsError} if its beginning has so many mistakes that the rest need not be read.
   */
  static *inSteps(source: Source, schema: z.ZodType): Generator<void, YamlFile> {
    refuseBeginning(source, schema);
    return new YamlFile(source, yield* readYaml(source.text));
  }

  /**
   * Checks that the file has a value.
   *
   * @throws {DiagnosticsError} if the text is not YAML, or empty.
   */
  mustBeReadable(needs: string): void {
    if (this.#yaml.isBroken) throw this.error([]);
    if (this.data !== null && this.data !== undefined) return;
    const empty = { message: "the file has no settings", hint: needs };
    throw this.isSound ? new DiagnosticsError([empty], this.source) : this.error([]);
  }

  /** The error with all mistakes: those of the YAML, and the findings in its data. */
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

  /** Whether the text is valid YAML. */
  get isSound(): boolean {
    return this.#yaml.diagnostics.length === 0;
  }

  /** A finding with its place in the text. */
  locate({ path, message, hint, key = false }: Finding): Diagnostic {
    return { message, hint, at: this.#span(path, key) };
  }

  /** The place of a value or key. If it is missing, the place of the closest group around it. */
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
      // If a key appears twice, the last value is read.
      if (isMap(node)) node = pairsOf(node, step).at(-1)?.value;
      else node = isSeq(node) ? node.items[Number(step)] : undefined;
    }
    return node;
  }

  /** If a value has several lines, only the first is marked. */
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
  // The cut may have damaged the YAML, and missing keys may follow later.
  if (yaml.data === undefined || yaml.data === null) return;
  const { findings } = validate(schema, yaml.data, () => []);
  const wrong = isData(yaml.data) ? findings.filter(({ path }) => path.length > 0) : findings;
  const error = yaml.error(wrong);
  if (!isData(yaml.data) || error.diagnostics.length > FINDINGS_MAX) throw error;
}
