/** A study's result as lines for a terminal. */
import { aligned } from "../base/mod.ts";
import { CONFIDENCE } from "../stats/mod.ts";
import { grouped, large, percent, plain, plusMinus, secondsTaken } from "./format.ts";
import type { Interval } from "./metric_reports.ts";
import { backendHeads, backendRow, mainColumns, THEORY_HEADS, theoryRows } from "./tables.ts";
import type { FaultMedians, StudyReport, VariantReport } from "./types.ts";

/** Options of the lines. */
export interface TextOptions {
  readonly color: boolean;
  /** Width of the terminal. */
  readonly columns: number;
  /** Longer sentences than this number of columns are broken between words. If left out, no sentence is broken. */
  readonly proseColumns?: number | undefined;
  /** Whether the tables show all backends of all variants. */
  readonly details?: boolean | undefined;
  /** Sentences below the heading: what is simulated, and what to watch. */
  readonly about?: readonly string[] | undefined;
  /** The medians of times: for each variant, a list with an entry for each fault. */
  readonly medians?: readonly (readonly FaultMedians[])[] | undefined;
}

/** The codes of a terminal that begin a style and end it. */
const STYLES = { bold: [1, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;
type Style = keyof typeof STYLES;

/** With more variants than this, the tables of backends are left out. */
const DETAILED_MAX = 4;
/** If the utilisations differ by more than this, backends are shown one by one. */
const UNEVEN = 0.05;
/** Rows of a table of backends, unless all details are shown. */
const BACKENDS_MAX = 12;

/** The whole report. */
export function reportLines(report: StudyReport, options: TextOptions): string[] {
  const paint = (style: Style, text: string) => options.color ? styled(style, text) : text;
  const { variants } = report;
  const { proseColumns = Infinity } = options;
  const prose = (lines: readonly string[], style?: Style) =>
    lines.flatMap((line) => wrapped(line, proseColumns))
      .map((line) => style === undefined ? line : paint(style, line));
  const sections = [
    [...prose([heading(report)], "bold"), ...prose(options.about ?? [])],
    mainTable(variants, options.columns),
    ...variants.filter((one) => options.details || isWorthDetails(variants.length)(one))
      .map((one) => backendTable(one, options.details ? Infinity : BACKENDS_MAX)),
    faultTable(variants, options.medians, proseColumns),
    theoryTable(variants),
    prose(variants.flatMap(refusals)),
    prose(variants.flatMap(warnings), "yellow"),
    prose(verdicts(report), "green"),
    expectationLines(report).flatMap(({ line, holds }) => prose([line], holds ? "green" : "red")),
    prose([costLine(report)]),
  ];
  return sections.filter((lines) => lines.length > 0).flatMap((lines, i) =>
    i === 0 ? lines : ["", ...lines]
  );
}

/** A sentence in lines of at most this width, broken between words; all lines but the first are indented. */
export function wrapped(text: string, columns: number, indent = "  "): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined) lines.push(word);
    else if (line.length + 1 + word.length > columns) lines.push(indent + word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}

/** The description of the study, in a line. */
export function heading({ title, scenario, variants }: StudyReport): string {
  const loads = [...new Set(variants.map(({ load }) => load))];
  const load = loads.length === 1 && loads[0] !== null ? `, ${percent(loads[0]!)} load` : "";
  const backends = [...new Set(variants.map((variant) => variant.backends.length))];
  const replications = [...new Set(variants.map((variant) => variant.replications))];
  const { confidence } = variants[0]!;
  const interval = confidence === CONFIDENCE
    ? ""
    : `; ± is a ${Number((100 * confidence).toFixed(1))} % interval`;
  return `${title === null ? "" : `${title} · `}${scenario}: ${
    numbered(backends, "backend")
  }${load}, ` +
    `${numbered(replications, "replication")} of each variant${interval}`;
}

/** `1 backend`, `10 backends`, `3 to 10 backends`. */
function numbered(numbers: readonly number[], noun: string): string {
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const count = least === most ? String(least) : `${least} to ${most}`;
  return `${count} ${noun}${most === 1 ? "" : "s"}`;
}

/** The main table, with as many columns as fit into the width. */
function mainTable(variants: readonly VariantReport[], width: number): string[] {
  const columns = mainColumns();
  for (let rank = 1; rank <= Math.max(...columns.map((column) => column.rank)); rank++) {
    const shown = columns.filter((column) => column.rank >= rank);
    const lines = aligned([
      ["variant", ...shown.map(({ title }) => title)],
      ...variants.map((variant) => [variant.name, ...shown.map(({ cell }) => cell(variant))]),
    ]);
    if (lines.every((line) => line.length <= width)) return lines;
  }
  return variants.map(({ name, sojourn_ms }) => `${name}: p99 ${plusMinus(sojourn_ms.p99)} ms`);
}

/** Backends that behave alike need no table, except in a study of one variant. */
function isWorthDetails(variants: number): (variant: VariantReport) => boolean {
  return ({ backends }) => {
    if (variants === 1) return true;
    const busy = backends.map(({ utilisation }) => utilisation.value ?? 0);
    const down = backends.some(({ downs }) => (downs.value ?? 0) > 0);
    return variants <= DETAILED_MAX && (down || Math.max(...busy) - Math.min(...busy) > UNEVEN);
  };
}

function backendTable({ name, backends }: VariantReport, max: number): string[] {
  const rows = backends.slice(0, max).map(backendRow);
  const left = backends.length - rows.length;
  return [
    ...aligned([[name, ...backendHeads()], ...rows]),
    ...left > 0 ? [`… and ${left} more (--details shows all)`] : [],
  ];
}

function faultTable(
  variants: readonly VariantReport[],
  medians: TextOptions["medians"],
  columns: number,
): string[] {
  const rows = variants.flatMap(({ name, faults, replications }, v) =>
    faults.map(({ backend, kind, at_ms, detection_ms, failback_ms }, f) => [
      name,
      `${kind} of ${backend} at ${plain(at_ms / 1000)} s`,
      detection_ms.missing === replications
        ? "not detected"
        : `detected after ${secondsTaken(detection_ms, medians?.[v]?.[f]?.detection_ms, " s")}` +
          (detection_ms.missing > 0 ? ` (not in ${numbered([detection_ms.missing], "run")})` : ""),
      failback_ms === null
        ? ""
        : `back after ${secondsTaken(failback_ms, medians?.[v]?.[f]?.failback_ms, " s")}`,
    ])
  );
  if (rows.length === 0) return [];
  const lines = aligned(rows);
  if (lines.every((line) => line.length <= columns)) return lines;
  const sentences = rows.map(([variant, ...facts]) =>
    `${variant}: ${facts.filter((fact) => fact !== "").join(", ")}`
  );
  return sentences.flatMap((line) => wrapped(line, columns));
}

function theoryTable(variants: readonly VariantReport[]): string[] {
  const rows = theoryRows(variants);
  return rows.length === 0 ? [] : aligned([THEORY_HEADS, ...rows]);
}

/** The refusals of a variant's balancers by reason, as shares of all attempts. */
function refusals({ name, connections, retried, turned_away }: VariantReport): string[] {
  const reasons = Object.entries(turned_away).toSorted(([, a], [, b]) => b - a);
  if (reasons.length === 0) return [];
  const shares = reasons.map(([reason, count]) =>
    `${percent(count / (connections + retried))} ${reason}`
  );
  return [`${name}: refused by the balancer: ${shares.join(", ")}`];
}

/** A variant's warnings. */
export function warnings({ name, warnings }: VariantReport): string[] {
  return warnings.map((warning) => `${name}: ${warning}`);
}

/** How the best variant compares with each of the others. */
export function verdicts({ comparisons }: StudyReport): string[] {
  return comparisons.map(({ best, other, metric, verdict, best_value, other_value, lower }) => {
    if (metric === "errors") {
      return `${best} beats ${other}: errors ${percent(best_value)} instead of ${
        percent(other_value)
      }${pointsLower(lower)}`;
    }
    const values = `p99 ${plain(best_value)} and ${plain(other_value)} ms`;
    const amount = lower.value === null ? values : `${values}, ${lowerBy(lower)}`;
    switch (verdict) {
      case "beats":
        return `${best} beats ${other}: ${amount}`;
      case "no practical difference":
        return `${best} and ${other}: no practical difference: ${amount}`;
      case "cannot be told apart":
        return `${best} and ${other} cannot be told apart: ${amount}`;
      case "unknown":
        return `${best} and ${other} cannot be compared: ${values}`;
    }
  });
}

/** `, 0.54 percentage points lower`: the difference of two shares is given in percentage points. */
function pointsLower({ value }: Interval): string {
  return value === null ? "" : `, ${plain(100 * value)} percentage points lower`;
}

/** If the end of an interval, as a share, is larger than this, it is shown as infinite. */
const WIDE_SHARE = 100;

/** `37 % lower (31 to 43 %)`, or `12 % higher (−3 to 27 %)` if the variant is the best only because of fewer errors. */
function lowerBy({ value, low, high }: Interval): string {
  const whole = (share: number) =>
    String(Number((share * 100).toFixed(Math.abs(share) < 0.1 ? 1 : 0))).replace("-", "−");
  // With few runs, an interval may be so wide that the numbers of its ends mean nothing.
  const bound = (share: number) =>
    Math.abs(share) <= WIDE_SHARE ? whole(share) : share < 0 ? "−∞" : "∞";
  const isHigher = value! < 0;
  const [from, to] = isHigher ? [high, low] : [low, high];
  const sign = isHigher ? -1 : 1;
  const range = from === null || to === null
    ? ""
    : ` (${bound(sign * from)} to ${bound(sign * to)} %)`;
  return `${whole(sign * value!)} % ${isHigher ? "higher" : "lower"}${range}`;
}

function expectationLines(
  { expectations, variants }: StudyReport,
): { readonly line: string; readonly holds: boolean }[] {
  return expectations.map(({ text, variant, value, bound, holds, reason = "never" }) => {
    const isOfSeveral = expectations.filter((other) => other.text === text).length > 1;
    const where = variants.length > 1 && isOfSeveral ? `${variant}: ` : "";
    if (holds) return { line: `✓ ${where}${text} (${plain(value)})`, holds };
    const found = value === null ? reason : plain(value);
    const limit = bound === null && value !== null ? reason : plain(bound);
    return { line: `✗ ${where}${text} (measured: ${found}; bound: ${limit})`, holds };
  });
}

function costLine({ variants, wall_s, events_per_s, seed, digest }: StudyReport): string {
  const runs = variants.reduce((sum, { replications }) => sum + replications, 0);
  const events = variants.reduce((sum, variant) => sum + variant.events, 0);
  const time = wall_s === undefined || events_per_s === undefined
    ? ""
    : ` in ${wall_s.toFixed(1)} s (${large(events_per_s)} a second)`;
  return `${grouped(runs)} runs, ${large(events)} events${time}; seed ${seed}, digest ${
    digest.slice(0, 12)
  }`;
}

function styled(style: Style, text: string): string {
  const [begin, end] = STYLES[style];
  return `\x1b[${begin}m${text}\x1b[${end}m`;
}
