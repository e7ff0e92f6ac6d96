/** Reads a text as YAML: the result is a document or its mistakes. The cost is bounded for every text. */
import {
  type Alias,
  Composer,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  Lexer,
  Parser,
  Scalar,
} from "yaml";
import type { Diagnostic, Span } from "./diagnostic.ts";
import { inPlainWords, type Openings } from "./yaml_words.ts";

/** A text that was read as YAML. */
export interface YamlText {
  readonly document: Document.Parsed;
  /** All mistakes. If there are any, the document must not be used. */
  readonly diagnostics: readonly Diagnostic[];
  /** Whether a mistake prevented the rest from being read. */
  readonly isBroken: boolean;
}

/**
 * The largest number of nested brackets, and of lists that begin on one line. The YAML parser's time grows faster
 * than their number.
 */
const NESTED_MAX = 50;
/** The largest number of lexemes (words, brackets, spaces and line ends). Ten thousand backends have 200,000. */
const LEXEMES_MAX = 300_000;
/** The largest number of values. A few aliases of aliases can stand for millions of values. */
const VALUES_MAX = 500_000;
/**
 * The number of lexemes in a step. A step takes less than a millisecond, so that clients of a running balancer do not
 * wait long.
 */
const LEXEMES_PER_STEP = 200;

/** Lexemes with which the lexer announces the next one. They are not part of the text. */
const SIGNS: readonly string[] = ["\u0002", "\u0018", "\u001f"];

/** Reads a text in small steps. */
export function* readYaml(text: string): Generator<void, YamlText> {
  const composer = new Composer({ uniqueKeys: false, logLevel: "error" });
  const parser = new Parser();
  const bounds = new Bounds();
  const documents: Document.Parsed[] = [];
  const complaints: Diagnostic[] = [];
  const stopsEarly = new EarlyStop(composer);
  try {
    for (const lexeme of new Lexer().lex(text)) {
      const complaint = bounds.complaint(lexeme);
      if (complaint !== undefined) {
        complaints.push(complaint);
        break;
      }
      for (const token of parser.next(lexeme)) documents.push(...composer.next(token) as Documents);
      if (documents.length > 1 || stopsEarly.hasError) break;
      if (bounds.lexemes % LEXEMES_PER_STEP === 0) yield;
    }
    if (complaints.length === 0) {
      for (const token of parser.end()) documents.push(...composer.next(token) as Documents);
      yield;
    }
  } catch (error) {
    if (error !== ENOUGH) throw error;
  }
  stopsEarly.end();
  documents.push(...composer.end(true, text.length) as Documents);
  const [document, second] = documents as [Document.Parsed, ...Document.Parsed[]];
  if (second !== undefined && complaints.length === 0) complaints.push(secondDocument(second));
  const invalid = [
    ...complaints,
    ...document.errors.slice(0, 1).map((error) => inPlainWords(error, text, bounds)),
  ];
  if (invalid.length > 0) return { document, diagnostics: invalid.slice(0, 1), isBroken: true };
  const survey = new Survey(text);
  const isTooMuch = survey.valuesOf(document) > VALUES_MAX;
  return {
    document,
    diagnostics: isTooMuch ? [TOO_MUCH] : survey.diagnostics,
    isBroken: isTooMuch,
  };
}

const TOO_MUCH: Diagnostic = {
  message: "its aliases expand to too many values: this cannot be the right file",
};

type Documents = Generator<Document.Parsed>;

/** Thrown in the middle of a document that has a mistake, because the rest need not be read. */
const ENOUGH = Symbol("enough");

/** The members of a composer to which it adds errors. They are private, but there is no other way to stop it. */
interface Composing {
  readonly errors: readonly unknown[];
  onError(source: unknown, code: string, message: string, warning?: boolean): void;
}

/**
 * Stops a composer at its first error: only this one is reported. A composer takes a whole document in one step, and
 * each error costs it 20 microseconds: a text that is one long mistake would hold up a running balancer for seconds.
 */
class EarlyStop {
  readonly #composing: Composing;
  readonly #onError: Composing["onError"];

  constructor(composer: Composer) {
    const composing = composer as unknown as Composing;
    const { onError } = composing;
    this.#composing = composing;
    this.#onError = onError;
    composing.onError = (source, code, message, warning) => {
      onError(source, code, message, warning);
      if (warning !== true) throw ENOUGH;
    };
  }

  /** Whether there is an error before the first document, or between two documents. */
  get hasError(): boolean {
    return this.#composing.errors.length > 0;
  }

  /** From now on, errors do not stop the composer. */
  end(): void {
    this.#composing.onError = this.#onError;
  }
}

/** The lexeme that the lexer emits when it stops because of brackets that are not closed. */
const FLOW_BROKEN = "\u0018";

/** Counts lexemes and open brackets while a text is read, and records the places of brackets and quotes. */
class Bounds implements Openings {
  lexemes = 0;
  bracket: Span | undefined;
  quote: Span | undefined;
  #offset = 0;
  /** The open brackets. */
  readonly #brackets: { readonly start: number; readonly closing: string }[] = [];
  /** Lists and keys that begin on this line. */
  #onLine = 0;

  /** The reason not to read further, if there is one. */
  complaint(lexeme: string): Diagnostic | undefined {
    const start = this.#offset;
    if (!SIGNS.includes(lexeme)) this.#offset += lexeme.length;
    if (lexeme === "[") this.#brackets.push({ start, closing: "]" });
    else if (lexeme === "{") this.#brackets.push({ start, closing: "}" });
    else if (lexeme === "]" || lexeme === "}") this.#close(lexeme);
    else if (lexeme === FLOW_BROKEN) this.#close("");
    else if (lexeme.startsWith('"') || lexeme.startsWith("'")) {
      this.quote = { start, end: start + 1 };
    } else if (lexeme === "-" || lexeme === "?") this.#onLine++;
    else if (lexeme === "\n" || lexeme === "\r\n") this.#onLine = 0;
    const at = { start, end: this.#offset };
    if (this.#brackets.length > NESTED_MAX || this.#onLine > NESTED_MAX) {
      return {
        message:
          `not valid YAML for lbsim: lists or groups are nested more than ${NESTED_MAX} deep`,
        at,
      };
    }
    if (++this.lexemes <= LEXEMES_MAX) return undefined;
    return {
      message: "it has too many parts for a configuration: this cannot be the right file",
      at,
    };
  }

  /** Records a bracket that is not closed, or is closed by one of the other kind. */
  #close(lexeme: string): void {
    const open = this.#brackets.pop();
    if (open === undefined || open.closing === lexeme) return;
    this.bracket ??= { start: open.start, end: open.start + 1 };
  }
}

/** Checks a document for things that the YAML parser accepts and lbsim does not. */
class Survey {
  readonly #text: string;
  readonly diagnostics: Diagnostic[] = [];
  /** The number of values under each anchor. */
  readonly #anchors = new Map<string, number>();

  constructor(text: string) {
    this.#text = text;
  }

  /** The number of values in a document after each alias is replaced by the content of its anchor. */
  valuesOf(document: Document.Parsed): number {
    for (const { pos: [start, end] } of document.warnings) {
      const tag = this.#text.slice(start, end);
      this.diagnostics.push({
        message: `unknown tag ${tag}`,
        hint: `text that begins with ! goes in quotes: "${this.#wordAt(start)}"`,
        at: { start, end },
      });
    }
    document.contents = this.#known(document.contents) as typeof document.contents;
    return this.#values(document.contents);
  }

  /** The number of values in a node, with its aliases replaced. */
  #values(node: unknown): number {
    if (isAlias(node)) return this.#anchors.get(node.source) ?? 1;
    const { anchor } = (node ?? {}) as { anchor?: string };
    // Inside its own content an anchor does not exist yet, even if an earlier one has the same name.
    if (anchor !== undefined) this.#anchors.delete(anchor);
    let values = 1;
    if (isMap(node)) node.items = node.items.filter(this.#hasKey());
    if (isCollection(node)) {
      node.items.forEach((item, i) => {
        if (!isPair(item)) {
          node.items[i] = this.#known(item);
          values += this.#values(node.items[i]);
          return;
        }
        item.key = this.#known(item.key);
        item.value = this.#known(item.value);
        values += this.#values(item.key) + this.#values(item.value);
      });
    }
    if (anchor !== undefined) this.#anchors.set(anchor, values);
    return values;
  }

  /** The node itself; for an alias without an anchor, the text that may have been meant. */
  #known(node: unknown): unknown {
    if (!isAlias(node) || this.#anchors.has(node.source)) return node;
    this.#addUnresolved(node);
    const text = new Scalar(`*${node.source}`);
    text.range = node.range ?? null;
    return text;
  }

  /** Returns a test for the items of a group: is the key text? It reports keys that are not text or appear twice. */
  #hasKey(): (item: { readonly key: unknown }) => boolean {
    const seen = new Set<string>();
    return ({ key }) => {
      const at = spanOf(key);
      if (isAlias(key)) return true;
      if (!isScalar(key)) {
        this.diagnostics.push({ message: "a key must be text", at });
        return false;
      }
      const name = String(key.value);
      if (seen.has(name)) {
        this.diagnostics.push({
          message: `"${name}" appears twice`,
          hint: "keep one of them",
          at,
        });
      }
      seen.add(name);
      return true;
    };
  }

  #addUnresolved(alias: Alias): void {
    const { source } = alias;
    const isPort = /^:\d+$/.test(source);
    this.diagnostics.push({
      message: isPort
        ? `"*${source}" is not an address`
        : `*${source} refers to an anchor &${source} that does not exist`,
      hint: isPort
        ? `to listen on every address of this machine, write 0.0.0.0${source}`
        : `text that begins with * goes in quotes: "*${source}"`,
      at: spanOf(alias),
    });
  }

  /** The text from here to the next space. */
  #wordAt(start: number): string {
    return /^[^\s,\]}]*/.exec(this.#text.slice(start, start + 100))![0];
  }
}

function spanOf(node: unknown): Span | undefined {
  const { range } = (node ?? {}) as { range?: readonly [number, number, number] | null };
  return range ? { start: range[0], end: Math.max(range[1], range[0] + 1) } : undefined;
}

function secondDocument({ range }: Document.Parsed): Diagnostic {
  const [start, end] = range;
  return {
    message: "not valid YAML: a second document begins here",
    hint: "remove the ---",
    at: { start, end: Math.max(end, start + 1) },
  };
}
