import type { DemoState } from "./demo.ts";

/** The possible widths of a backend's bar. One connection in flight is one character. */
const BARS = [8, 6, 4];

/**
 * The demo's live line: `  3.2 s  in flight  B1 ███····· 3  B2  down  ·  1204 answered, 2 errors`, shortened to the
 * number of columns.
 */
export function liveLine({ at_ms, backends, answers, errors }: DemoState, columns: number): string {
  const time = `${(at_ms / 1000).toFixed(1).padStart(5)} s  in flight`;
  const tallies = [
    `  ·  ${answers} answered, ${errors} ${errors === 1 ? "error" : "errors"}`,
    `  ·  ${errors} ${errors === 1 ? "error" : "errors"}`,
    "",
  ];
  const lines = BARS.flatMap((width) =>
    tallies.map((tally) => [time, ...backends.map((one) => load(one, width))].join("  ") + tally)
  );
  return lines.find((line) => line.length <= columns) ?? lines.at(-1)!.slice(0, columns);
}

function load(
  { id, up, in_flight }: DemoState["backends"][number],
  width: number,
): string {
  if (!up) return `${id} ${"down".padEnd(width + 3)}`;
  const bar = "█".repeat(Math.min(in_flight, width)).padEnd(width, "·");
  return `${id} ${bar} ${String(in_flight).padStart(2)}`;
}
