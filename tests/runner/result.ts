/** What `deno test` printed about one file, read from its lines. */
import { stripVTControlCharacters } from "node:util";

/** How the tests of a file, or of all files, ended. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

/** The result of one file. */
export interface FileResult extends Counts {
  /** The tests that failed: name and place, as Deno lists them. */
  readonly failures: readonly string[];
  /** The names of the tests that were skipped. */
  readonly skipped: readonly string[];
}

/** Deno's closing line: "ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)". */
const CLOSING = /^(?:ok|FAILED) \| (?<passed>\d+) passed.*? \| (?<failed>\d+) failed/;
const SKIPPED = /^(?<name>.*) \.\.\. ignored\b/;

/**
 * The result of a file.
 *
 * @param file Its path, for failures that belong to no test.
 * @param printed The lines that `deno test` printed.
 * @param code Its exit code. A file that ends with an error, or without Deno's closing line, counts as one failure even
 * if no test failed.
 */
export function resultOf(file: string, printed: readonly string[], code: number): FileResult {
  const lines = printed.map((line) => stripVTControlCharacters(line));
  const closing = lines.findLast((line) => CLOSING.test(line));
  const { passed, failed } = CLOSING.exec(closing ?? "")?.groups ?? { passed: "0", failed: "0" };
  const skipped = lines.flatMap((line) => SKIPPED.exec(line)?.groups?.["name"] ?? []);
  const counts = { passed: Number(passed), ignored: skipped.length, skipped };
  if (closing === undefined) {
    const failure = `${file} ended with exit code ${code} before its tests had ended`;
    return { ...counts, failed: 1, failures: [failure] };
  }
  if (code !== 0 && failed === "0") {
    return { ...counts, failed: 1, failures: [`${file} ended with exit code ${code}`] };
  }
  return { ...counts, failed: Number(failed), failures: failuresIn(lines) };
}

/** Deno lists the failed tests under this heading, up to an empty line. */
function failuresIn(lines: readonly string[]): string[] {
  const heading = lines.findLastIndex((line) => line.trim() === "FAILURES");
  if (heading === -1) return [];
  const list = lines.slice(heading + 1).join("\n").trim().split("\n\n")[0]!;
  return list.split("\n");
}

/** The sum of several results. */
export function sumOf(results: readonly Counts[]): Counts {
  const sum = (of: (counts: Counts) => number) => results.reduce((all, one) => all + of(one), 0);
  return {
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed),
    ignored: sum(({ ignored }) => ignored),
  };
}

/** A closing line like Deno's. */
export function closingLine({ passed, failed, ignored }: Counts, seconds: number): string {
  const whole = Math.round(seconds);
  const outcome = failed === 0 ? "ok" : "FAILED";
  const time = `${Math.floor(whole / 60)}m${whole % 60}s`;
  return `${outcome} | ${passed} passed | ${failed} failed | ${ignored} ignored (${time})`;
}
