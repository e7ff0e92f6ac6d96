/** The state of a balancer as lines of a terminal. Pure: what is drawn depends on the arguments alone. */
import { styleText } from "node:util";
import type { BackendSnapshot, Snapshot } from "../lib/observe/mod.ts";

/** How a table is drawn. */
export interface TableStyle {
  /** The largest number of characters in a line; Infinity for no limit. */
  readonly width: number;
  readonly color: boolean;
  /** Whether the numbers in flight have bars. */
  readonly bars: boolean;
  /** The id of the backend that is marked. Undefined: the table has no column for a mark. */
  readonly selected?: string | undefined;
  /** The backends to show; all if left out. The widths of the columns are those for all backends in any case. */
  readonly rows?: readonly [from: number, to: number];
}

type Paint = "green" | "red" | "yellow" | "cyan" | "dim";

interface Cell {
  readonly text: string;
  readonly paint?: Paint | undefined;
}

interface Column {
  readonly title: string;
  /** When there is no room for all columns, those of the lowest rank are left out first. */
  readonly rank: number;
  /** A column with text may be cut to this width before others are left out. */
  readonly narrowest?: number;
  readonly alignRight?: boolean;
  readonly cell: (backend: BackendSnapshot, snapshot: Snapshot) => Cell;
}

const COLUMNS: readonly Column[] = [
  { title: "id", rank: 9, narrowest: 8, cell: ({ id }) => ({ text: id }) },
  { title: "state", rank: 8, narrowest: 11, cell: stateCell },
  {
    title: "wt",
    rank: 1,
    alignRight: true,
    cell: ({ weight, effective_weight, wish }) => ({
      text: (effective_weight < weight ? `${short(effective_weight)}/` : "") + weight +
        (weight === wish.file_weight ? "" : "*"),
    }),
  },
  { title: "last probe", rank: 2, narrowest: 10, cell: probeCell },
  { title: "in flight", rank: 7, alignRight: true, cell: inFlightCell },
  {
    title: "rate",
    rank: 6,
    alignRight: true,
    cell: ({ opened_per_s }) => ({ text: `${short(opened_per_s)}/s` }),
  },
  {
    title: "share",
    rank: 4,
    alignRight: true,
    cell: ({ recent_share }) => ({ text: `${Math.round(100 * recent_share)}%` }),
  },
  {
    title: "p99",
    rank: 5,
    alignRight: true,
    cell: ({ first_byte: { p99_ms } }) => ({ text: p99_ms === null ? "–" : duration(p99_ms) }),
  },
  {
    title: "changed",
    rank: 3,
    alignRight: true,
    cell: (backend, { at_ms }) => ({ text: age(at_ms - lastChange(backend)) }),
  },
];

const GAP = "  ";
const BAR_MIN = 4;
const BAR_MAX = 12;

/** The head of the table and a line for each backend. Lines are at most as long as the width. */
export function tableLines(snapshot: Snapshot, style: TableStyle): string[] {
  const { width, color, bars, selected, rows = [0, snapshot.backends.length] } = style;
  const mark = selected === undefined ? "" : GAP;
  const all = COLUMNS.map((column) => {
    const cells = snapshot.backends.map((backend) => column.cell(backend, snapshot));
    const natural = Math.max(column.title.length, ...cells.map(({ text }) => text.length));
    return { column, cells, natural };
  });
  const room = width - mark.length;
  const barMin = bars ? BAR_MIN + 1 : 0;
  const shown = fitting(all, room - barMin);
  const widths = narrowed(shown, room - barMin);
  const left = room - barMin - total(widths);
  const bar = bars ? Math.min(BAR_MAX, BAR_MIN + Math.max(0, left)) : 0;
  const fullest = Math.max(1, ...snapshot.backends.map(({ in_flight }) => in_flight));

  const line = (cellOf: (entry: typeof shown[number]) => Cell, barText: string, plain: boolean) =>
    shown.map((entry, i) => {
      const { text, paint } = cellOf(entry);
      const cut = clipped(text, widths[i]!);
      const padded = entry.column.alignRight ? cut.padStart(widths[i]!) : cut.padEnd(widths[i]!);
      const painted = plain ? padded : painter(color)(paint, padded);
      return bars && entry.column.title === "in flight" ? `${painted} ${barText}` : painted;
    }).join(GAP);

  const head = mark + line(({ column }) => ({ text: column.title }), " ".repeat(bar), true);
  const lines = [painter(color)("dim", head.trimEnd())];
  for (let i = rows[0]; i < rows[1]; i++) {
    const backend = snapshot.backends[i]!;
    const isSelected = backend.id === selected;
    const inverted = isSelected && color;
    const drawn = line(
      ({ cells }) => cells[i]!,
      bars ? barOf(backend, fullest, bar) : "",
      inverted,
    );
    const text = (selected === undefined ? "" : isSelected ? "> " : GAP) + drawn;
    lines.push(inverted ? styled("inverse", text) : text.trimEnd());
  }
  return lines.map((text) => cutLine(text, width));
}

/** The state of the whole balancer, in at most four lines. */
export function summaryLines(snapshot: Snapshot, width: number): string[] {
  const { version, listen, algorithm, uptime_ms, connections, queue, sessions, wishes } = snapshot;
  const { in_flight, in_flight_max, limit, opened_per_s, refused, retried } = connections;
  const lines = [
    `lbsim ${version}${listen === null ? "" : ` on ${listen}`}  ${algorithm}  up ${age(uptime_ms)}`,
    [
      `${count(in_flight)} in flight (max ${count(in_flight_max)}, limit ${count(limit)})`,
      `${short(opened_per_s)}/s`,
      `refused ${count(refused)}`,
      `retried ${count(retried)}`,
      ...queue.limit === null ? [] : [`waiting ${count(queue.waiting)}`],
      ...sessions.limit === null ? [] : [`sessions ${count(sessions.count)}`],
    ].join(GAP),
    `active: ${snapshot.active_servers.join(" ") || "none"}`,
    ...wishes.length === 0 ? [] : [differences(wishes)],
    ...snapshot.backends.flatMap(({ id, fault }) => fault ? [`${id} has the fault ${fault}`] : []),
  ];
  return lines.map((line) => clipped(line, width));
}

/** How the operator's wishes differ from the file, in words. */
export function differences(wishes: readonly string[]): string {
  return wishes.length === 0
    ? "nothing differs from the file"
    : `set by the operator: ${wishes.join("; ")}`;
}

/**
 * The columns that fit when each has its least width. If there is too little room, the least important
 * columns are left out.
 */
function fitting<T extends { readonly column: Column; readonly natural: number }>(
  all: readonly T[],
  room: number,
): T[] {
  const shown = [...all];
  while (shown.length > 1 && total(shown.map(least)) > room) {
    const ranks = shown.map(({ column }) => column.rank);
    shown.splice(ranks.indexOf(Math.min(...ranks)), 1);
  }
  return shown;
}

function least({ column, natural }: { readonly column: Column; readonly natural: number }): number {
  return Math.min(natural, column.narrowest ?? natural);
}

/** The widths of these columns, of which text in a column of the lowest rank is cut first. */
function narrowed(
  shown: readonly { readonly column: Column; readonly natural: number }[],
  room: number,
): number[] {
  const widths = shown.map(({ natural }) => natural);
  const byRank = [...shown.keys()].toSorted((a, b) =>
    shown[a]!.column.rank - shown[b]!.column.rank
  );
  for (const i of byRank) {
    const excess = total(widths) - room;
    if (excess > 0) widths[i] = Math.max(least(shown[i]!), widths[i]! - excess);
  }
  return widths;
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
}

/** The state. `drain*`: the operator's wish differs from the file. `drain, down`: also down by its probes. */
function stateCell({ condition, health, wish }: BackendSnapshot): Cell {
  const isOther = wish.state !== wish.file_state;
  const alsoDown = condition !== "down" && health.state === "down";
  return {
    text: `${condition}${isOther ? "*" : ""}${alsoDown ? ", down" : ""}`,
    paint: alsoDown ? "red" : PAINTS[condition],
  };
}

const PAINTS: Readonly<Record<BackendSnapshot["condition"], Paint>> = {
  unknown: "dim",
  up: "green",
  down: "red",
  ejected: "yellow",
  drain: "cyan",
  maintenance: "cyan",
};

function probeCell({ health: { last_probe } }: BackendSnapshot): Cell {
  if (last_probe === null) return { text: "none" };
  const { ok, duration_ms, text } = last_probe;
  return ok ? { text: `ok ${duration(duration_ms)}` } : { text, paint: "red" };
}

function inFlightCell({ in_flight, limit }: BackendSnapshot): Cell {
  return {
    text: `${in_flight}${limit === null ? "" : `/${limit}`}`,
    paint: limit !== null && in_flight >= limit ? "yellow" : undefined,
  };
}

/** A bar that is full at the backend's limit; without a limit, at the largest number in flight of all backends. */
function barOf({ in_flight, limit }: BackendSnapshot, fullest: number, width: number): string {
  const share = Math.min(1, in_flight / Math.max(1, limit ?? fullest));
  const full = in_flight === 0 ? 0 : Math.max(1, Math.round(share * width));
  return "█".repeat(full) + "·".repeat(width - full);
}

/** When the probed health, the operator's wish or the state of the ejection last changed. */
function lastChange({ health, wish }: BackendSnapshot): number {
  return Math.max(health.since_ms, wish.since_ms);
}

/** `12s`, `4m`, `3h`, `2d`. */
export function age(ms: number): string {
  const s = Math.floor(Math.max(0, ms) / 1000);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m`;
  return s < 48 * 3600 ? `${Math.floor(s / 3600)}h` : `${Math.floor(s / 86400)}d`;
}

/** `0.82ms`, `12ms`, `1.2s`. */
export function duration(ms: number): string {
  return ms >= 1000 ? `${short(ms / 1000)}s` : `${short(ms)}ms`;
}

/** `0`, `0.25`, `3.4`, `12`. */
function short(value: number): string {
  if (value >= 9.95 || Number.isInteger(value)) return String(Math.round(value));
  return value.toFixed(value >= 0.995 ? 1 : 2);
}

/** `1,234`. */
export function count(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** A text, cut to this number of characters. */
export function clipped(text: string, width: number): string {
  if (text.length <= width) return text;
  return width < 1 ? "" : `${text.slice(0, width - 1)}…`;
}

/** A line that is still too long loses its end, and also its colours. */
function cutLine(text: string, width: number): string {
  const plain = text.replaceAll(COLORS, "");
  return plain.length <= width ? text : clipped(plain, width);
}

// deno-lint-ignore no-control-regex -- it finds control characters
const COLORS = /\x1b\[[\d;]*m/g;

function painter(color: boolean): (paint: Paint | undefined, text: string) => string {
  return (paint, text) => color && paint !== undefined ? styled(paint, text) : text;
}

function styled(style: Paint | "inverse", text: string): string {
  return styleText(style, text, { validateStream: false });
}
