/**
 * The place at which a text is not JSON: the index of the first wrong character, or the length of the text if it ends
 * too early; undefined if it is JSON. `JSON.parse` does not report this place on every engine.
 */
export function jsonDamage(text: string): number | undefined {
  const scanner = new Scanner(text);
  try {
    scanner.value();
    scanner.end();
    return undefined;
  } catch (error) {
    if (error instanceof Damage) return Math.min(error.index, text.length);
    throw error;
  }
}

/** The largest depth of groups inside each other. No event needs more. */
const DEPTH_MAX = 100;

class Damage extends Error {
  readonly index: number;

  constructor(index: number) {
    super("damage");
    this.index = index;
  }
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS = ["true", "false", "null"];

class Scanner {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): void {
    this.#skip(SPACE);
    const first = this.#text[this.#at];
    if (first === "{") this.#list("}", () => this.#pair());
    else if (first === "[") this.#list("]", () => this.value());
    else if (first === '"') this.#string();
    else if (!this.#word() && !this.#skip(NUMBER)) this.#fail();
    this.#skip(SPACE);
  }

  end(): void {
    if (this.#at < this.#text.length) this.#fail();
  }

  #list(close: string, item: () => void): void {
    if (++this.#depth > DEPTH_MAX) this.#fail();
    this.#at++;
    this.#skip(SPACE);
    if (this.#text[this.#at] !== close) {
      item();
      while (this.#text[this.#at] === ",") {
        this.#at++;
        item();
      }
      if (this.#text[this.#at] !== close) this.#fail();
    }
    this.#at++;
    this.#depth--;
  }

  #pair(): void {
    this.#skip(SPACE);
    if (this.#text[this.#at] !== '"') this.#fail();
    this.#string();
    this.#skip(SPACE);
    if (this.#text[this.#at] !== ":") this.#fail();
    this.#at++;
    this.value();
  }

  #string(): void {
    this.#at++;
    while (true) {
      const character = this.#text[this.#at];
      if (character === undefined || character < " ") this.#fail();
      this.#at++;
      if (character === '"') return;
      if (character !== "\\") continue;
      const escape = this.#text[this.#at] ?? "";
      if (escape === "u") {
        if (!/^[0-9a-fA-F]{4}$/.test(this.#text.slice(this.#at + 1, this.#at + 5))) this.#fail();
        this.#at += 5;
      } else if (escape !== "" && '"\\/bfnrt'.includes(escape)) this.#at++;
      else this.#fail();
    }
  }

  #word(): boolean {
    const word = WORDS.find((one) => this.#text.startsWith(one, this.#at));
    this.#at += word?.length ?? 0;
    return word !== undefined;
  }

  /** Skips the text that matches at this place. Returns whether a text matched. */
  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const { length } = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += length;
    return length > 0;
  }

  #fail(): never {
    throw new Damage(this.#at);
  }
}
