/** The requests that are sent, and the readers of their answers. */
import { type AnswerReader, HttpAnswers, LineAnswers, RawAnswers } from "./answers.ts";
import type { BackendNames } from "./backend_names.ts";

/** A kind of request. */
export interface Payload {
  readonly kind: "line" | "http" | "raw";
  /** The size of a request in bytes. */
  readonly size: number;
  /** The request with this number, in a buffer of `size` bytes that belongs to one connection. */
  write(number: number, buffer: Uint8Array): Uint8Array;
  /** Whether requests differ, so that each connection needs a buffer of its own for `write`. */
  readonly differs: boolean;
  /** A reader of the answers on one connection. */
  reader(names: BackendNames): AnswerReader;
}

const DIGITS = 10;
const ZERO = 48;
const NEWLINE = 10;
const X = 120;
/** `request 0000000001` and a newline. */
const LINE_BYTES = 19;
/** Requests that are larger than this are all equal, so that they share one buffer. */
const DIFFERENT_BYTES_MAX = 4096;

/**
 * Lines with a number, by which an echo is recognised. A line that is too short for a number consists of `x`.
 *
 * @param size The size of a line with its newline in bytes, at least 1.
 */
export function linePayload(size = LINE_BYTES): Payload {
  const differs = size >= LINE_BYTES && size <= DIFFERENT_BYTES_MAX;
  const shared = new Uint8Array(size).fill(X);
  shared[size - 1] = NEWLINE;
  if (differs) {
    for (let i = 0; i < 8; i++) shared[i] = "request ".charCodeAt(i);
    if (size > LINE_BYTES) shared[size - DIGITS - 2] = 32;
  }
  return {
    kind: "line",
    size,
    differs,
    write(number, buffer) {
      if (!differs) return shared;
      if (buffer[0] === 0) buffer.set(shared);
      let rest = number;
      for (let i = size - 2; i > size - 2 - DIGITS; i--) {
        const digit = rest % 10;
        buffer[i] = ZERO + digit;
        rest = (rest - digit) / 10;
      }
      return buffer;
    },
    reader: (names) => new LineAnswers(names),
  };
}

/**
 * HTTP/1.1 requests.
 *
 * @param host The Host field.
 * @param path The requested path, which begins with `/`.
 * @param body The size of the body in bytes. With a body the method is POST, without one GET.
 * @param close Whether the server is asked to close the connection after its answer.
 */
export function httpPayload(host: string, path: string, body: number, close: boolean): Payload {
  const head = [
    `${body > 0 ? "POST" : "GET"} ${path} HTTP/1.1`,
    `Host: ${host}`,
    ...body > 0 ? [`Content-Length: ${body}`] : [],
    ...close ? ["Connection: close"] : [],
    "",
    "",
  ].join("\r\n");
  const request = new Uint8Array(head.length + body).fill(X);
  for (let i = 0; i < head.length; i++) request[i] = head.charCodeAt(i);
  return {
    kind: "http",
    size: request.length,
    differs: false,
    write: () => request,
    reader: (names) => new HttpAnswers(names),
  };
}

/** Plain bytes: `size` of them are sent, and `answer` of them come back. */
export function rawPayload(size: number, answer: number): Payload {
  const request = new Uint8Array(size).fill(X);
  return {
    kind: "raw",
    size,
    differs: false,
    write: () => request,
    reader: () => new RawAnswers(answer),
  };
}
