/**
 * Finds the end of an answer in the bytes of a connection, and checks the answer. It allocates nothing per answer.
 */
import type { Nanoseconds } from "../../lib/base/mod.ts";
import { type BackendNames, NO_BACKEND } from "./backend_names.ts";
import type { ErrorKind } from "./errors.ts";

/** More bytes are needed, and the bytes so far are needed again. */
export const MORE = -1;
/** More bytes are needed; the bytes so far are not needed again. */
export const MORE_WITHOUT = -2;
/** The answer is not valid. */
export const INVALID = -3;

/** Reads the answers of one connection, one at a time. */
export interface AnswerReader {
  /** The number of the backend that the last answer named. */
  readonly backend: number;
  /** What is wrong with the last answer. */
  readonly error: ErrorKind | undefined;
  /** How long the request waited at the backend; undefined if the answer does not state it. */
  readonly waited?: Nanoseconds | undefined;
  /** Whether the server closes the connection after the last answer. */
  readonly isLast: boolean;
  /** A request has been sent: its answer comes next. */
  begin(request: Uint8Array): void;
  /**
   * Reads the bytes of the answer from `from` on. An earlier call, which returned `MORE`, has read the bytes before
   * `from`.
   *
   * @returns The index after the answer's last byte, or `MORE`, `MORE_WITHOUT` or `INVALID`.
   */
  take(bytes: Uint8Array, from: number, to: number): number;
  /** Whether the end of the connection is the end of the answer. */
  endsWithConnection(): boolean;
}

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
/** The number of bytes at the end of a line that distinguish it from other lines. */
const TAIL_BYTES = 12;

/**
 * Each answer is one line, for each line that was sent. An echo of lbsim's backend must contain the line of the
 * request.
 */
export class LineAnswers implements AnswerReader {
  backend = NO_BACKEND;
  error: ErrorKind | undefined;
  readonly isLast = false;
  readonly #names: BackendNames;
  #request: Uint8Array = new Uint8Array(0);

  constructor(names: BackendNames) {
    this.#names = names;
  }

  begin(request: Uint8Array): void {
    this.#request = request;
  }

  take(bytes: Uint8Array, from: number, to: number): number {
    const newline = bytes.indexOf(NEWLINE, from);
    if (newline === -1 || newline >= to) return MORE;
    const end = bytes[newline - 1] === CARRIAGE_RETURN ? newline - 1 : newline;
    this.backend = this.#names.numberIn(bytes, 0, end);
    this.error = this.backend === NO_BACKEND || this.#echoes(bytes, end)
      ? undefined
      : "wrong_answer";
    return newline + 1;
  }

  endsWithConnection(): boolean {
    return false;
  }

  #echoes(bytes: Uint8Array, end: number): boolean {
    const request = this.#request;
    const length = request.length - 1;
    const count = Math.min(TAIL_BYTES, length);
    for (let i = 1; i <= count; i++) {
      if (bytes[end - i] !== request[length - i]) return false;
    }
    return true;
  }
}

/** Answers with a fixed number of bytes. */
export class RawAnswers implements AnswerReader {
  readonly backend = NO_BACKEND;
  readonly error = undefined;
  readonly isLast = false;
  readonly #size: number;
  #left = 0;

  constructor(size: number) {
    this.#size = size;
  }

  begin(): void {
    this.#left = this.#size;
  }

  take(_bytes: Uint8Array, from: number, to: number): number {
    const taken = Math.min(this.#left, to - from);
    this.#left -= taken;
    return this.#left === 0 ? from + taken : MORE_WITHOUT;
  }

  endsWithConnection(): boolean {
    return false;
  }
}

const HEAD = 0;
const BODY = 1;
const CHUNK_SIZE = 2;
const CHUNK = 3;
const CHUNK_END = 4;
const TRAILER = 5;
const TO_THE_END = 6;

const ZERO = 48;
const NINE = 57;
const SEMICOLON = 59;

/**
 * HTTP/1 answers to requests that are not HEAD: with a length, in chunks, or up to the end of the
 * connection.
 */
export class HttpAnswers implements AnswerReader {
  backend = NO_BACKEND;
  error: ErrorKind | undefined;
  isLast = false;
  readonly #names: BackendNames;
  #phase = HEAD;
  #left = 0;
  #digits = 0;
  #isLineEmpty = true;
  #isExtension = false;

  constructor(names: BackendNames) {
    this.#names = names;
  }

  begin(): void {
    this.#phase = HEAD;
    this.backend = NO_BACKEND;
    this.error = undefined;
    this.isLast = false;
  }

  take(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    if (this.#phase === HEAD) {
      at = headEnd(bytes, Math.max(0, from - 3), to);
      if (at === -1) return MORE;
      if (!this.#readHead(bytes, at)) return INVALID;
      this.backend = this.#names.numberIn(bytes, bodyStart(bytes, at, this.#phase), to);
    }
    return this.#body(bytes, at, to);
  }

  endsWithConnection(): boolean {
    return this.#phase === TO_THE_END;
  }

  #body(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    while (true) {
      switch (this.#phase) {
        case TO_THE_END:
          return MORE_WITHOUT;
        case BODY:
        case CHUNK: {
          const taken = Math.min(this.#left, to - at);
          this.#left -= taken;
          at += taken;
          if (this.#left > 0) return MORE_WITHOUT;
          if (this.#phase === BODY) return at;
          this.#phase = CHUNK_END;
          break;
        }
        case CHUNK_END:
          while (at < to && bytes[at] !== NEWLINE) at++;
          if (at === to) return MORE_WITHOUT;
          at++;
          this.#beginChunk();
          break;
        case CHUNK_SIZE:
          while (at < to && bytes[at] !== NEWLINE) {
            if (!this.#sizeDigit(bytes[at++]!)) return INVALID;
          }
          if (at === to) return MORE_WITHOUT;
          at++;
          if (this.#digits === 0) return INVALID;
          this.#phase = this.#left === 0 ? TRAILER : CHUNK;
          this.#isLineEmpty = true;
          break;
        default:
          // The trailer ends with an empty line.
          while (at < to) {
            const byte = bytes[at++]!;
            if (byte === NEWLINE) {
              if (this.#isLineEmpty) return at;
              this.#isLineEmpty = true;
            } else if (byte !== CARRIAGE_RETURN) this.#isLineEmpty = false;
          }
          return MORE_WITHOUT;
      }
    }
  }

  #beginChunk(): void {
    this.#phase = CHUNK_SIZE;
    this.#left = 0;
    this.#digits = 0;
    this.#isExtension = false;
  }

  #sizeDigit(byte: number): boolean {
    if (this.#isExtension || byte === CARRIAGE_RETURN) return true;
    if (byte === SEMICOLON || byte === 32) {
      this.#isExtension = true;
      return true;
    }
    const lower = byte | 32;
    const digit = byte >= ZERO && byte <= NINE
      ? byte - ZERO
      : lower >= 97 && lower <= 102
      ? lower - 87
      : -1;
    if (digit === -1 || ++this.#digits > 12) return false;
    this.#left = this.#left * 16 + digit;
    return true;
  }

  /** Reads the status line and the fields that define the end of the body. Returns whether the answer is HTTP. */
  #readHead(bytes: Uint8Array, end: number): boolean {
    // HTTP/1.x nnn
    if (
      end < 16 || bytes[0] !== 72 || bytes[1] !== 84 || bytes[4] !== 47 || bytes[5] !== 49 ||
      bytes[8] !== 32
    ) return false;
    const status = (bytes[9]! - ZERO) * 100 + (bytes[10]! - ZERO) * 10 + bytes[11]! - ZERO;
    // A status below 200 answers only requests that ask for it, which these requests do not.
    if (!(status >= 200 && status <= 999)) return false;
    this.error = status >= 500 ? "http_5xx" : status >= 400 ? "http_4xx" : undefined;
    this.isLast = bytes[7] === ZERO;
    let length = -1;
    let isChunked = false;
    for (let at = bytes.indexOf(NEWLINE) + 1; at < end; at = bytes.indexOf(NEWLINE, at) + 1) {
      const first = bytes[at]! | 32;
      if (first === 99) { // c
        if (isField(bytes, at, "content-length:")) length = numberAt(bytes, at + 15);
        else if (isField(bytes, at, "connection:")) {
          if (isField(bytes, wordAt(bytes, at + 11), "close")) this.isLast = true;
          else if (isField(bytes, wordAt(bytes, at + 11), "keep-alive")) this.isLast = false;
        }
      } else if (first === 116 && isField(bytes, at, "transfer-encoding:")) { // t
        isChunked = isField(bytes, wordAt(bytes, at + 18), "chunked");
      }
    }
    if (Number.isNaN(length)) return false;
    if (isChunked) this.#beginChunk();
    else {
      const isEmpty = status === 204 || status === 304;
      this.#phase = length === -1 && !isEmpty ? TO_THE_END : BODY;
      this.#left = isEmpty ? 0 : length;
      if (this.#phase === TO_THE_END) this.isLast = true;
    }
    return true;
  }
}

/** The index after the empty line that ends a head; -1 if it has not arrived. */
function headEnd(bytes: Uint8Array, from: number, to: number): number {
  for (let at = bytes.indexOf(NEWLINE, from); at !== -1 && at < to - 1;) {
    if (bytes[at + 1] === NEWLINE) return at + 2;
    if (bytes[at + 1] === CARRIAGE_RETURN && at + 2 < to && bytes[at + 2] === NEWLINE) {
      return at + 3;
    }
    at = bytes.indexOf(NEWLINE, at + 1);
  }
  return -1;
}

/**
 * The beginning of the text of a body. If the body is in chunks, this is after the line with the size of the first
 * chunk.
 */
function bodyStart(bytes: Uint8Array, at: number, phase: number): number {
  if (phase !== CHUNK_SIZE) return at;
  const newline = bytes.indexOf(NEWLINE, at);
  return newline === -1 ? at : newline + 1;
}

/** Whether a word is at an index. The word is in lower case; the case of the bytes does not matter. */
function isField(bytes: Uint8Array, at: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) {
    const expected = word.charCodeAt(i);
    const byte = bytes[at + i]!;
    if (byte !== expected && !(expected >= 97 && (byte | 32) === expected)) return false;
  }
  return true;
}

function wordAt(bytes: Uint8Array, at: number): number {
  let start = at;
  while (bytes[start] === 32 || bytes[start] === 9) start++;
  return start;
}

/** A decimal number, with spaces before it; NaN if there is none. */
function numberAt(bytes: Uint8Array, at: number): number {
  let i = wordAt(bytes, at);
  let value = NaN;
  for (; bytes[i]! >= ZERO && bytes[i]! <= NINE; i++) {
    value = (Number.isNaN(value) ? 0 : value * 10) + bytes[i]! - ZERO;
  }
  return value;
}
