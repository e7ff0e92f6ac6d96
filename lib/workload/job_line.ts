/**
 * A request on real sockets carries its job, so that both worlds do the same work: one line, with the
 * identity of the attempt, the work, and the draws that decide whether it fails.
 */
import type { Nanoseconds } from "../base/mod.ts";

/** An attempt at a request, as its line states it. */
export interface JobLine {
  /** Identifies the attempt: origin, number and attempt. */
  readonly id: string;
  readonly work: Nanoseconds;
  /** Numbers in [0, 1). If the rate of immediate errors (`fastDraw`) or of others (`failDraw`) is larger, it fails. */
  readonly fastDraw: number;
  readonly failDraw: number;
}

/** An answer, as its line states it. */
export interface AnswerLine {
  readonly backend: string;
  /** Absent if the answer is an error. */
  readonly waited?: Nanoseconds;
}

/** The line of a request. */
export function jobLine({ id, work, fastDraw, failDraw }: JobLine): string {
  return `job ${id} ${Math.round(work)} ${fastDraw} ${failDraw}`;
}

/** The job that a line states; undefined if it states none. */
export function parseJobLine(line: string): JobLine | undefined {
  const [word, id, work, fastDraw, failDraw] = line.split(" ");
  if (word !== "job" || id === undefined) return undefined;
  const job = { id, work: Number(work), fastDraw: Number(fastDraw), failDraw: Number(failDraw) };
  const isSound = Number.isFinite(job.work + job.fastDraw + job.failDraw) && job.work >= 0;
  return isSound ? job : undefined;
}

/** The line of an answer. It begins like every answer of lbsim's backend: `Hello from B1: done 0`. */
export function answerLine({ backend, waited }: AnswerLine): string {
  return `Hello from ${backend}: ${waited === undefined ? "error" : `done ${Math.round(waited)}`}`;
}

/** The answer that a line states; undefined if it states none. */
export function parseAnswerLine(line: string): AnswerLine | undefined {
  const [, backend, error, waited] = /^Hello from (.+): (?:(error)|done (\d+))$/.exec(line) ?? [];
  if (backend === undefined) return undefined;
  return error === undefined ? { backend, waited: Number(waited) } : { backend };
}
