import { type BenchResult, PERCENTILES } from "./result.ts";

/** The names of the columns, and one row: the rows of several runs make a table. */
export function resultCsv(result: BenchResult): string {
  const { latency_ms, lag_ms, backends, errors_by_kind } = result;
  const times = ["mean", ...PERCENTILES.map(([name]) => name), "max"] as const;
  const cells: readonly (readonly [string, string | number | boolean | null])[] = [
    ...([
      ...["target", "load", "loop", "payload", "request_bytes", "seed", "duration_s"],
      ...["interrupted", "offered", "sent", "answers", "errors", "unfinished", "offered_per_s"],
      ...["answers_per_s", "connections_opened", "bytes_sent", "bytes_received", "processors"],
      "generator_was_the_limit",
    ] as const).map((name) =>
      [name, (result as unknown as Record<string, string>)[name]!] as const
    ),
    ...times.map((name) => [`corrected_${name}_ms`, latency_ms.corrected[name]] as const),
    ...times.map((name) => [`uncorrected_${name}_ms`, latency_ms.uncorrected[name]] as const),
    ...times.map((name) => [`lag_${name}_ms`, lag_ms[name]] as const),
    ...Object.entries(errors_by_kind).map(([kind, count]) => [`errors(${kind})`, count] as const),
    ...backends.map(({ id, answers }) => [`answers(${id})`, answers] as const),
  ];
  return [0, 1].map((row) => cells.map((cell) => quoted(`${cell[row] ?? ""}`)).join(",") + "\n")
    .join("");
}

/** A cell by RFC 4180. */
function quoted(cell: string): string {
  return /[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
