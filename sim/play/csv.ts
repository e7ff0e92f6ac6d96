import type { Slice } from "./slice_log.ts";

/** The series of a variant. */
interface VariantSeries {
  readonly name: string;
  readonly ids: readonly string[];
  readonly slices: readonly Slice[];
}

/** The series of all variants as CSV, with a line for each variant and slice. */
export function seriesCsv(variants: readonly VariantSeries[], sliceMs: number): string {
  const ids = [...new Set(variants.flatMap((variant) => variant.ids))];
  const header = [
    ...["variant", "from_ms", "to_ms", "done", "errors", "p50_ms", "p99_ms"],
    ...ids.map((id) => `in_flight_${id}`),
  ];
  const lines = variants.flatMap(({ name, ids: own, slices }) =>
    slices.map(({ done, errors, p50Ms, p99Ms, inFlight }, i) => [
      name,
      i * sliceMs,
      (i + 1) * sliceMs,
      done,
      errors,
      p50Ms,
      p99Ms,
      ...ids.map((id) => inFlight[own.indexOf(id)] ?? NaN),
    ])
  );
  return [header, ...lines].map((cells) => `${cells.map(cell).join(",")}\n`).join("");
}

/** The text of a cell; empty for an unknown number. */
function cell(value: string | number): string {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  return /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
