/** The beginning of an answer of lbsim's backend: `Hello from B1: …`. */
const GREETING = Uint8Array.from("Hello from ", (character) => character.charCodeAt(0));
const COLON = 58;
const SPACE = 32;
/** Longer names than this are cut. */
const NAME_BYTES_MAX = 100;

/** There is no name in the answer. */
export const NO_BACKEND = -1;

/**
 * The names of backends, as their answers state them: `Hello from B1`. Each distinct name has a number, so an
 * answer of a known backend allocates nothing.
 */
export class BackendNames {
  readonly #names: string[] = [];
  readonly #bytes: Uint8Array[] = [];
  /** The numbers of the names, by hash. */
  readonly #numbers = new Map<number, number[]>();

  /** The names, by number. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Whether bytes begin with the greeting. */
  greets(bytes: Uint8Array, from: number, to: number): boolean {
    if (to - from <= GREETING.length) return false;
    for (let i = 0; i < GREETING.length; i++) {
      if (bytes[from + i] !== GREETING[i]) return false;
    }
    return true;
  }

  /** The number of the backend that an answer names; `NO_BACKEND` if it names none. */
  numberIn(bytes: Uint8Array, from: number, to: number): number {
    if (!this.greets(bytes, from, to)) return NO_BACKEND;
    const start = from + GREETING.length;
    const last = Math.min(to, start + NAME_BYTES_MAX);
    let end = start;
    let hash = 0;
    while (end < last && bytes[end]! > SPACE && bytes[end] !== COLON) {
      hash = (Math.imul(hash, 31) + bytes[end++]!) | 0;
    }
    if (end === start) return NO_BACKEND;
    for (const number of this.#numbers.get(hash) ?? []) {
      if (isSame(this.#bytes[number]!, bytes, start, end)) return number;
    }
    return this.#add(hash, bytes.slice(start, end));
  }

  #add(hash: number, bytes: Uint8Array): number {
    const number = this.#names.length;
    this.#names.push(String.fromCharCode(...bytes));
    this.#bytes.push(bytes);
    this.#numbers.set(hash, [...this.#numbers.get(hash) ?? [], number]);
    return number;
  }
}

function isSame(name: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let i = 0; i < name.length; i++) if (name[i] !== bytes[from + i]) return false;
  return true;
}
