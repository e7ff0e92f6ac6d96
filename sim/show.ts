/** The options and the output that `lbsim sim` and `lbsim live` have in common. */
import type { Command } from "@commander-js/extra-typings";
import { dirname } from "node:path";
import deno from "../deno.json" with { type: "json" };
import { fileOption, type Io } from "../lib/cli/mod.ts";
import { today, writeFailure } from "../lib/io/mod.ts";
import { escapeAll, escapedJson, escapeText, UserError } from "../lib/base/mod.ts";
import type { ReplicationResult } from "../lib/metrics/mod.ts";
import { csv, reportLines, reportPage, type StudyReport } from "../lib/report/mod.ts";
import type { Study } from "../lib/scenario/mod.ts";
import { describeScenarios, faultMedians, plotsOf, reportDigest, summarise } from "./study/mod.ts";

/** How a result is shown. */
export interface Output {
  readonly html?: string | undefined;
  readonly json?: boolean | undefined;
  readonly csv?: boolean | undefined;
  readonly details?: boolean | undefined;
  /** Whether the exit code depends on the scenario's expectations. */
  readonly expect: boolean;
  /** Whether the time that the study took is shown; without it the same result has the same bytes. */
  readonly timing: boolean;
  /** The result of the replay of a recording. */
  readonly replay?: Readonly<Record<string, unknown>> | undefined;
  /** Whether the run was interrupted before its end. */
  readonly interrupted?: boolean | undefined;
}

/**
 * Adds the options of `Output` to a command. They are added without their types, which are stated once at the end:
 * inferred for a command of any type, they would take minutes to check.
 */
export function withOutput<Args extends unknown[], Options extends Record<string, unknown>>(
  command: Command<Args, Options>,
): Command<Args, Options & Omit<Output, "replay" | "interrupted">> {
  (command as unknown as Command)
    .option("--html <file>", "write a report with plots to this file, as one HTML page", fileOption)
    .option("--json", "print one JSON object")
    .option("--csv", "print a CSV table with a line for each variant")
    .option("--details", "show the backends of every variant")
    .option("--no-expect", "do not check the scenario's expectations")
    .option(
      "--no-timing",
      "leave out the date and the duration of the study, so that the same result gives the same bytes",
    );
  return command as unknown as Command<Args, Options & Omit<Output, "replay" | "interrupted">>;
}

/** @throws {UserError} if both formats are asked for. */
export function refuseTwoFormats({ json, csv }: Output): void {
  if (json && csv) {
    throw new UserError("--json and --csv: use only one of them", {
      exitCode: 2,
    });
  }
}

/**
 * A page that cannot be written must fail before a long study, not after it.
 *
 * @throws {UserError}
 */
export async function refuseUnwritable({ html }: Pick<Output, "html">): Promise<void> {
  if (html === undefined) return;
  const isDirectory = await Deno.stat(html).then((info) => info.isDirectory, () => false);
  if (isDirectory) throw unwritable(html, new Deno.errors.IsADirectory());
  await Deno.stat(dirname(html)).catch((error) => {
    throw unwritable(html, error);
  });
}

function unwritable(file: string, error: unknown): UserError {
  return new UserError(`--html ${file}: ${writeFailure(error)}`);
}

/**
 * Shows the result of a study: as text, JSON or CSV, and as a page. Sets the exit code.
 *
 * @param world The subcommand that gives this result again: `sim` or `live`.
 * @param results By variant: the result of each replication, in order.
 * @param wallSeconds How long the study took.
 * @throws {UserError} if the page cannot be written.
 */
export async function showStudy(
  io: Io,
  study: Study,
  world: "sim" | "live",
  results: readonly (readonly ReplicationResult[])[],
  wallSeconds: () => number,
  output: Output,
): Promise<void> {
  io.status("summing up the results");
  const judged = output.expect ? study : { ...study, expect: [] };
  const report = reportOf(judged, results, output.timing ? wallSeconds : undefined);
  io.status();
  if (output.html !== undefined) {
    // Without timing, the same result must give the same bytes, so the page has no date.
    const date = output.timing ? today() : undefined;
    await writePage(output.html, await pageOf(report, study, world, results, date));
    io.err(`report written to ${escapeText(output.html)}`);
  }
  if (output.json) {
    const { replay, interrupted } = output;
    io.out(escapedJson({
      ...report,
      ...replay !== undefined && { replay },
      ...interrupted && { interrupted },
    }));
  } else if (output.csv) io.out(csv(escapeAll(report)).trimEnd());
  else {
    const { color, columns } = io;
    const about = escapeAll([
      describeScenarios(study.variants.map(({ scenario }) => scenario)),
      study.watch ?? "",
    ])
      .filter((sentence) => sentence !== "");
    const medians = faultMedians(results);
    const proseColumns = io.stdoutIsTerminal ? columns : undefined;
    const options = { color, columns, proseColumns, about, medians, details: output.details };
    reportLines(escapeAll(report), options).forEach((line) => io.out(line));
  }
  const isEmpty = report.variants.some(({ offered }) => offered === 0);
  if (isEmpty || report.expectations.some(({ holds }) => !holds)) io.setExitCode(1);
}

/** @throws {UserError} if the page cannot be written. */
export async function writePage(file: string, page: string): Promise<void> {
  try {
    await Deno.writeTextFile(file, page);
  } catch (error) {
    throw unwritable(file, error);
  }
}

async function pageOf(
  report: StudyReport,
  study: Study,
  world: "sim" | "live",
  results: readonly (readonly ReplicationResult[])[],
  date: string | undefined,
): Promise<string> {
  const { scenario, set } = study.inputs;
  return await reportPage(report, {
    plots: plotsOf(study, results),
    medians: faultMedians(results),
    scenario: scenario.text,
    command: [`lbsim ${world}`, scenario.file, ...set.map((text) => `--set ${quoted(text)}`)]
      .join(" "),
    watch: study.watch,
    source: study.source,
    date,
  });
}

/** Quoted for a shell. */
function quoted(text: string): string {
  return /^[\w./:=%-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The result in the form that is printed. */
function reportOf(
  study: Study,
  results: readonly (readonly ReplicationResult[])[],
  wallSeconds: (() => number) | undefined,
): StudyReport {
  const summary = summarise(study, results);
  const events = summary.variants.reduce((sum, variant) => sum + variant.events, 0);
  const digest = reportDigest(study.seed, summary);
  // The duration is read only now, because the summary also takes seconds if there are many
  // backends, or a Markov chain to solve.
  const taken = wallSeconds?.();
  return {
    lbsim: deno.version,
    scenario: study.inputs.scenario.file,
    title: study.title ?? null,
    seed: study.seed,
    digest,
    ...summary,
    ...taken !== undefined && { wall_s: taken, events_per_s: events / taken },
  };
}
