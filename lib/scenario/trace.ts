import { escapeText, NS_PER_S, parseDuration, UserError } from "../base/mod.ts";
import type { Source } from "../config/mod.ts";
import type { Trace, TraceEntry } from "./types.ts";

const COLUMNS = ["at", "client", "address", "service"] as const;
type Column = typeof COLUMNS[number];

/** A time in two parts: one number cannot hold nanoseconds since 1970 exactly. */
interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** The longest run, about 104 days: more nanoseconds do not fit into a number exactly. */
const RUN_SECONDS_MAX = Math.floor(Number.MAX_SAFE_INTEGER / NS_PER_S);
/** The largest time in seconds since 1970, in the year 5138. A larger number cannot be in seconds. */
const CLOCK_SECONDS_MAX = 1e11;

/**
 * Reads recorded arrivals: a CSV file whose first line names its columns. `at` is the time at which a connection
 * arrived, `client` the number of its client (or `address` the client's address), and `service` the work. Times are
 * durations (`1.5s`) or plain numbers of seconds. The connections are sorted by time. Times of a clock, like seconds
 * since 1970, are counted from the first one.
 *
 * @throws {UserError} that names the line of a mistake.
 */
export function parseTrace({ file, text }: Source): Trace {
  const fail = (line: number, message: string, hint?: string): never => {
    throw new UserError(`${escapeText(file)}:${line}: ${escapeText(message)}`, {
      exitCode: 2,
      ...hint !== undefined && { hint },
    });
  };
  const [header = "", ...lines] = text.split("\n");
  const positions = positionsOf(header, (message, hint) => fail(1, message, hint));
  const addresses = new Map<string, number>();
  const times: Time[] = [];
  const entries: Omit<TraceEntry, "at">[] = [];
  lines.forEach((line, i) => {
    if (line.trim() === "") return;
    const cells = line.split(",");
    const cell = (name: Column) => unquoted(cells[positions[name]] ?? "");
    const time = (name: Column) =>
      readTime(cell(name), (message) => fail(i + 2, `${name}: ${message}`));
    const client = cell("client");
    if (client !== "" && !/^\d{1,15}$/.test(client)) {
      fail(i + 2, `client: "${client}" is not a whole number`);
    }
    const address = cell("address");
    if (address !== "" && !addresses.has(address)) addresses.set(address, addresses.size);
    const number = address === "" ? client : addresses.get(address);
    times.push(time("at"));
    entries.push({
      ...number !== "" && { client: Number(number) },
      ...cell("service") !== "" && { work: nanosecondsOf(time("service"), 0) },
    });
  });
  if (entries.length === 0) fail(2, "the trace has no connections");
  const start = startOf(times, (message, hint) => fail(2, message, hint));
  const sorted = entries
    .map((entry, i) => ({
      at: nanosecondsOf(times[i]!, start.seconds) - start.nanoseconds,
      ...entry,
    }))
    .sort((a, b) => a.at - b.at);
  return { entries: sorted, ...addresses.size > 0 && { addresses: [...addresses.keys()] } };
}

/** The position of each column in a line; -1 if it is missing. */
function positionsOf(
  header: string,
  fail: (message: string, hint?: string) => never,
): Readonly<Record<Column, number>> {
  const names = header.split(",").map(unquoted);
  const hint = `the first line names the columns: ${COLUMNS.join(", ")}; only \`at\` is needed`;
  const strange = names.find((name) => !(COLUMNS as readonly string[]).includes(name));
  if (strange !== undefined) fail(`unknown column "${strange.slice(0, 60)}"`, hint);
  if (names.includes("client") && names.includes("address")) {
    fail("`client` and `address` both identify the client", "keep only one of them");
  }
  if (!names.includes("at")) fail("the column `at` is missing, the time of each connection", hint);
  return {
    at: names.indexOf("at"),
    client: names.indexOf("client"),
    address: names.indexOf("address"),
    service: names.indexOf("service"),
  };
}

function unquoted(cell: string): string {
  const text = cell.trim();
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

function readTime(text: string, fail: (message: string) => never): Time {
  const [, whole, fraction = ""] = /^(\d{1,15})(?:\.(\d*))?$/.exec(text) ?? [];
  if (whole !== undefined) {
    const seconds = Number(whole);
    if (seconds >= CLOCK_SECONDS_MAX) {
      return fail(`${text} is too large: a number is in seconds, not in milliseconds`);
    }
    return { seconds, nanoseconds: Math.round(Number(`0.${fraction}`) * NS_PER_S) };
  }
  // Other programs write small numbers in this form.
  if (/^\d+(\.\d*)?e-\d{1,2}$/i.test(text)) {
    return { seconds: 0, nanoseconds: Math.round(Number(text) * NS_PER_S) };
  }
  try {
    return { seconds: 0, nanoseconds: parseDuration(text) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return fail(
      `"${text.slice(0, 60)}" is not a time: write seconds, like 1.5, or a duration, like 200ms`,
    );
  }
}

/** The start of the recording: 0, or the first time if the times are those of a clock. */
function startOf(times: readonly Time[], fail: (message: string, hint: string) => never): Time {
  let [first, last] = [times[0]!, times[0]!];
  for (const time of times) {
    if (
      time.seconds < first.seconds ||
      (time.seconds === first.seconds && time.nanoseconds < first.nanoseconds)
    ) first = time;
    if (time.seconds > last.seconds) last = time;
  }
  const days = Math.round((last.seconds - first.seconds) / 86_400);
  if (last.seconds - first.seconds >= RUN_SECONDS_MAX) {
    fail(
      `its connections are ${days} days apart`,
      "at most 104 days are possible; a number is in seconds",
    );
  }
  return last.seconds >= RUN_SECONDS_MAX ? first : { seconds: 0, nanoseconds: 0 };
}

function nanosecondsOf({ seconds, nanoseconds }: Time, startSeconds: number): number {
  return (seconds - startSeconds) * NS_PER_S + nanoseconds;
}
