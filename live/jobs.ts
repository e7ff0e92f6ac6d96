/** The requests of a live scenario: lines that carry their jobs. */
import type { Nanoseconds } from "../lib/base/mod.ts";
import { parseAnswerLine } from "../lib/workload/mod.ts";
import {
  type AnswerReader,
  type BackendNames,
  type ErrorKind,
  INVALID,
  MORE,
  NO_BACKEND,
  type Payload,
} from "../bench/mod.ts";

const NEWLINE = 10;

const decoder = new TextDecoder();

/** Requests that `SessionOptions.request` writes as the lines of their jobs, and their answers. */
export const JOBS: Payload = {
  kind: "line",
  size: 0,
  differs: false,
  write: (_number, buffer) => buffer,
  reader: (names) => new JobAnswers(names),
};

/** Reads answers to jobs. */
class JobAnswers implements AnswerReader {
  backend = NO_BACKEND;
  error: ErrorKind | undefined;
  waited: Nanoseconds | undefined;
  readonly isLast = false;
  readonly #names: BackendNames;

  constructor(names: BackendNames) {
    this.#names = names;
  }

  begin(): void {}

  take(bytes: Uint8Array, from: number, to: number): number {
    const newline = bytes.indexOf(NEWLINE, from);
    if (newline === -1 || newline >= to) return MORE;
    const answer = parseAnswerLine(decoder.decode(bytes.subarray(0, newline)));
    if (answer === undefined) return INVALID;
    this.backend = this.#names.numberIn(bytes, 0, newline);
    this.waited = answer.waited;
    this.error = answer.waited === undefined ? "failed" : undefined;
    return newline + 1;
  }

  endsWithConnection(): boolean {
    return false;
  }
}
