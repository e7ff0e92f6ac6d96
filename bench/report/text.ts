/** The result for a terminal. */
import { styleText } from "node:util";
import { escapeText } from "../../lib/base/mod.ts";
import { percent, wrapped } from "../../lib/report/mod.ts";
import { type ErrorKind, ERRORS } from "../core/mod.ts";
import { type BenchResult, type Bucket, PERCENTILES } from "./result.ts";

/** How it is shown. */
export interface TextOptions {
  readonly color: boolean;
  readonly columns: number;
}

/** More backends than this are counted, not listed. */
const BACKENDS_MAX = 20;
const BLOCKS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** The result as lines. */
export function resultLines(result: BenchResult, { color, columns }: TextOptions): string[] {
  const bold = (text: string) => color ? styleText("bold", text, { validateStream: false }) : text;
  const yellow = (text: string) =>
    color ? styleText("yellow", text, { validateStream: false }) : text;
  return [
    ...wrapped(escapeText(`${result.target}: ${result.load}`), columns, "  ").map(bold),
    ...result.warnings.flatMap((warning) =>
      wrapped(`warning: ${escapeText(warning)}`, columns, "  ").map(yellow)
    ),
    "",
    ...totals(result),
    "",
    ...percentiles(result),
    ...section(
      bold(`latency${result.loop === "open" ? ", corrected" : ""}`),
      histogramLines(result.latency_histogram, columns),
    ),
    ...section(bold("backends"), backendLines(result)),
    ...section(bold("errors"), errorLines(result, columns)),
    ...result.loop === "closed" ? [] : section(
      bold("lag of the generator"),
      [
        `p50 ${ms(result.lag_ms.p50)}   p99 ${ms(result.lag_ms.p99)}   max ${
          ms(result.lag_ms.max)
        }`,
        ...histogramLines(result.lag_histogram, columns),
      ],
    ),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", title, ...lines];
}

function totals(result: BenchResult): string[] {
  const { offered, answers, errors, unfinished, duration_s } = result;
  const rate = (count: number) => `${count.toFixed(count < 10 ? 1 : 0)}/s`;
  const rows = [
    ["requests", `${offered} in ${duration_s.toFixed(1)} s`, rate(result.offered_per_s)],
    ["answers", `${answers}`, rate(result.answers_per_s)],
    ["errors", `${errors}`, errors === 0 ? "" : percent(errors / offered)],
    ...unfinished === 0 ? [] : [["unfinished", `${unfinished}`, ""]],
    ["connections", `${result.connections_opened} opened`, ""],
    ["bytes", `${result.bytes_sent} sent, ${result.bytes_received} received`, ""],
    ...result.interrupted ? [["ended", "early (interrupted)", ""]] : [],
  ];
  return rows.map(([name, value, more]) =>
    [name!.padEnd(11), value, more].filter((cell) => cell !== "").join("  ")
  );
}

/** Corrected and uncorrected side by side; in a closed loop both are the same. */
function percentiles({ latency_ms, loop }: BenchResult): string[] {
  const { corrected, uncorrected } = latency_ms;
  const names = ["mean", ...PERCENTILES.map(([name]) => name), "max"] as const;
  const row = (name: string, ...cells: readonly string[]) =>
    name.padEnd(9) + cells.map((cell) => cell.padStart(14)).join("");
  const heads = loop === "open" ? ["corrected", "uncorrected"] : ["latency"];
  return [
    row("", ...heads),
    ...names.map((name) =>
      row(
        name.replace("_", "."),
        ms(corrected[name]),
        ...loop === "open" ? [ms(uncorrected[name])] : [],
      )
    ),
  ];
}

/** A bar for each bucket. A bucket that is not empty has at least a thin bar. */
export function histogramLines(buckets: readonly Bucket[], columns: number): string[] {
  const total = buckets.reduce((sum, { count }) => sum + count, 0);
  const most = Math.max(...buckets.map(({ count }) => count));
  const labels = buckets.map(({ from_ms, to_ms }) => `${from_ms} – ${to_ms} ms`);
  const counts = buckets.map(({ count }) => `${count}  ${percent(count / total)}`);
  const [label, count] = [widest(labels), widest(counts)];
  const room = Math.max(4, Math.min(50, columns - label - count - 6));
  return buckets.map((bucket, i) => {
    const eighths = bucket.count === 0
      ? 0
      : Math.max(1, Math.round(bucket.count / most * room * 8));
    const bar = "█".repeat(eighths >> 3) + BLOCKS[eighths & 7];
    return `${labels[i]!.padStart(label)}  ${bar.padEnd(room)}  ${counts[i]}`.trimEnd();
  });
}

function backendLines({ backends }: BenchResult): string[] {
  const width = widest(backends.map(({ id }) => escapeText(id)));
  const lines = backends.slice(0, BACKENDS_MAX).map(({ id, answers, share }) =>
    `${escapeText(id).padEnd(width)}  ${String(answers).padStart(9)}  ${percent(share).padStart(7)}`
  );
  const more = backends.length - lines.length;
  return more > 0 ? [...lines, `and ${more} more`] : lines;
}

function errorLines({ errors_by_kind }: BenchResult, columns: number): string[] {
  return Object.entries(errors_by_kind)
    .toSorted(([, a], [, b]) => b - a)
    .flatMap(([kind, count]) =>
      wrapped(`${count} ${kind}: ${ERRORS[kind as ErrorKind]}`, columns, "  ")
    );
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(({ length }) => length));
}

/** A time with three significant digits. */
export function ms(value: number | null): string {
  if (value === null) return "–";
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  return `${value.toFixed(digits)} ms`;
}
