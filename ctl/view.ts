/** The effects of keys in `lbsim ctl status --watch`, and the content of the screen. Pure. */
import type { BackendMode } from "../lib/core/mod.ts";
import type { Snapshot } from "../lib/observe/mod.ts";
import { clipped, summaryLines, tableLines } from "./table.ts";

/** The content of the screen. */
export interface View {
  readonly snapshot: Snapshot;
  /** The id of the backend that keys change; undefined if there is none. */
  readonly selected: string | undefined;
  /** Lines in place of the table, until a key is pressed. */
  readonly page: readonly string[] | undefined;
  /** The typed part of a client's address; undefined while no address is needed. */
  readonly typed: string | undefined;
  /** The outcome of the last key, or why the table is old. */
  readonly message: string;
}

/** The request to the balancer that a key causes. */
export type Action =
  | { readonly kind: "state"; readonly backend: string; readonly state: BackendMode }
  | { readonly kind: "weight"; readonly backend: string; readonly weight: number }
  | { readonly kind: "explain"; readonly client: string }
  | { readonly kind: "quit" };

/** The view after a key, and the action that the key asks for. */
export interface Pressed {
  readonly view: View;
  readonly action?: Action;
}

/** The view before the first key. */
export function firstView(snapshot: Snapshot): View {
  const selected = snapshot.backends[0]?.id;
  return { snapshot, selected, page: undefined, typed: undefined, message: "" };
}

/** The view with a newer snapshot. The selection stays while its backend exists. */
export function refreshed(view: View, snapshot: Snapshot): View {
  const { backends } = snapshot;
  const isThere = backends.some(({ id }) => id === view.selected);
  const place = Math.min(Math.max(0, placeOf(view)), backends.length - 1);
  return { ...view, snapshot, selected: isThere ? view.selected : backends[place]?.id };
}

/** Splits the text that a terminal has sent into keys. A key without a character of its own has a name. */
export function keysIn(text: string): string[] {
  // deno-lint-ignore no-control-regex -- it finds control characters
  const parts = text.match(/\x1b[[O][\d;]*[A-Za-z~]|./gsu) ?? [];
  return parts.map((part) => KEYS[part] ?? part);
}

const KEYS: Readonly<Record<string, string>> = {
  "\x1b[A": "up",
  "\x1bOA": "up",
  "\x1b[B": "down",
  "\x1bOB": "down",
  "\x1b[5~": "page up",
  "\x1b[6~": "page down",
  "\x1b[H": "home",
  "\x1bOH": "home",
  "\x1b[1~": "home",
  "\x1b[F": "end",
  "\x1bOF": "end",
  "\x1b[4~": "end",
  "\x1b": "escape",
  "\r": "enter",
  "\n": "enter",
  "\x7f": "backspace",
  "\b": "backspace",
  "\x03": "ctrl-c",
};

const PAGE = 10;
const MOVES: Readonly<Record<string, number>> = {
  "up": -1,
  "k": -1,
  "down": 1,
  "j": 1,
  "page up": -PAGE,
  "page down": PAGE,
  "home": -Infinity,
  "end": Infinity,
};

const STATES: Readonly<Record<string, BackendMode>> = {
  d: "drain",
  r: "ready",
  m: "maintenance",
};

const WEIGHT_MAX = 256;
/** The longest IP address. */
const CLIENT_MAX = 45;

/** What a key does. */
export function press(view: View, key: string): Pressed {
  if (key === "ctrl-c") return { view, action: { kind: "quit" } };
  if (view.typed !== undefined) return typing(view, view.typed, key);
  if (view.page !== undefined) return { view: { ...view, page: undefined } };
  if (key === "q") return { view, action: { kind: "quit" } };
  if (key === "?") return { view: { ...view, page: HELP } };
  const { backends } = view.snapshot;
  const move = MOVES[key];
  if (move !== undefined) {
    const place = Math.min(Math.max(0, placeOf(view) + move), backends.length - 1);
    return { view: { ...view, selected: backends[place]?.id, message: "" } };
  }
  if (key === "e") return { view: { ...view, typed: "", message: "" } };
  const backend = backends.find(({ id }) => id === view.selected);
  if (backend === undefined) return { view };
  const state = STATES[key];
  if (state !== undefined) {
    return { view, action: { kind: "state", backend: backend.id, state } };
  }
  const step = key === "+" || key === "=" ? 1 : key === "-" ? -1 : 0;
  const weight = Math.min(Math.max(0, backend.weight + step), WEIGHT_MAX);
  if (weight === backend.weight) return { view };
  // The next key may come before the balancer's answer, and must see this weight.
  const changed = backends.map((one) => one === backend ? { ...one, weight } : one);
  return {
    view: { ...view, snapshot: { ...view.snapshot, backends: changed } },
    action: { kind: "weight", backend: backend.id, weight },
  };
}

/** What a key does while the address of a client is typed. */
function typing(view: View, typed: string, key: string): Pressed {
  switch (key) {
    case "enter":
      if (typed === "") return { view: { ...view, typed: undefined } };
      return { view: { ...view, typed: undefined }, action: { kind: "explain", client: typed } };
    case "escape":
      return { view: { ...view, typed: undefined } };
    case "backspace":
      return { view: { ...view, typed: typed.slice(0, -1) } };
    default:
      if (!/^[\da-fA-F.:]$/.test(key) || typed.length >= CLIENT_MAX) return { view };
      return { view: { ...view, typed: typed + key } };
  }
}

function placeOf({ snapshot, selected }: View): number {
  return snapshot.backends.findIndex(({ id }) => id === selected);
}

const HELP = [
  "up, down, j, k, page up, page down, home, end   select a backend",
  "d   drain: no new clients; open connections may finish",
  "m   maintenance: no new connections and no probes",
  "r   ready: it gets clients again",
  "+ - raise and lower its weight",
  "e   explain: which backend would a client get, and why?",
  "q   quit, as Ctrl-C does",
  "",
  "state    what the operator wants, or what probes and connects show",
  "wt       its weight; in a slow start the part of it that is in effect",
  "*        differs from the configuration file",
  "in flight  its bar is full at max_connections; without this limit,",
  "         at the largest number in this column",
  "rate, share and p99 are those of the last seconds; p99 is the time",
  "         from the pick to the first byte of the answer",
  "changed  since when it is up, down, ready, draining or in maintenance",
  "",
  "Any key returns to the table.",
];

const KEY_LINE = "d drain  r ready  m maintenance  +- weight  e explain  ? help  q quit";

/** How the screen is drawn. */
export interface ScreenStyle {
  /** The size of the terminal. */
  readonly columns: number;
  readonly rows: number;
  readonly color: boolean;
}

/** The lines of the screen: at most as many as its rows, and each shorter than its width. */
export function screenLines(view: View, { columns, rows, color }: ScreenStyle): string[] {
  const { snapshot, page, typed, message, selected } = view;
  // A terminal may wrap a line that reaches its last column.
  const width = Math.max(1, columns - 1);
  const summary = summaryLines(snapshot, width);
  const foot = [
    typed === undefined ? message : `address of the client: ${typed}_`,
    page === undefined ? KEY_LINE : "any key returns to the table",
  ].map((line) => clipped(line, width));
  const room = Math.max(1, rows - summary.length - foot.length - 2);
  const body = page === undefined
    ? tableBody(view, { width, color, bars: true, selected: selected ?? "" }, room)
    : page.slice(0, room).map((line) => clipped(line, width));
  return [...summary, "", ...body, "", ...foot].slice(-rows);
}

/** The part of the table that fits, around the selected row. */
function tableBody(
  view: View,
  style: Parameters<typeof tableLines>[1],
  room: number,
): string[] {
  const { length } = view.snapshot.backends;
  const whole = length + 1 <= room;
  // Two lines are not for backends: the head, and the line with the visible range, like "3 to 9 of 20".
  const size = whole ? length : Math.max(1, room - 2);
  const place = Math.max(0, placeOf(view));
  const from = whole ? 0 : Math.min(Math.max(0, place - Math.floor(size / 2)), length - size);
  const lines = tableLines(view.snapshot, { ...style, rows: [from, from + size] });
  if (whole) return lines;
  return [...lines, clipped(`${from + 1} to ${from + size} of ${length}`, style.width)];
}
