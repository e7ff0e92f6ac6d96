import { parseDuration } from "../duration.ts";
import { NS_PER_S } from "../core/mod.ts";
import type { Source } from "../config/diagnostic.ts";
import { UserError } from "../user_error.ts";
import type { TraceEntry } from "./types.ts";

const COLUMNS = ["at", "client", "service"] as const;

/**
 * Reads recorded arrivals: a CSV file whose first line names its columns. `at` is when a connection
 * came, `client` the number of its client, `service` its work; times are durations (`1.5s`) or plain
 * numbers of seconds. They are put in order.
 *
 * @throws {UserError} that names the line which is wrong.
 */
export function parseTrace({ file, text }: Source): TraceEntry[] {
  const [header = "", ...lines] = text.split(/\r?\n/);
  const columns = header.split(",").map((name) => name.trim());
  const fail = (line: number, message: string): never => {
    throw new UserError(`${file}:${line}: ${message}`, { exitCode: 2 });
  };
  const strange = columns.find((name) => !(COLUMNS as readonly string[]).includes(name));
  if (strange !== undefined) {
    fail(1, `unknown column "${strange}": there is at, client and service`);
  }
  if (!columns.includes("at")) fail(1, "the column `at` is missing: when each connection came");
  const entries = lines.flatMap((line, i): TraceEntry[] => {
    if (line.trim() === "") return [];
    const cells = line.split(",").map((cell) => cell.trim());
    const cell = (name: string) => cells[columns.indexOf(name)] ?? "";
    const time = (name: string) => readTime(cell(name)) ?? fail(i + 2, wrongTime(name, cell(name)));
    const client = cell("client");
    if (client !== "" && !/^\d+$/.test(client)) {
      fail(i + 2, `client: "${client}" is not a whole number`);
    }
    return [{
      at: time("at"),
      ...client !== "" && { client: Number(client) },
      ...cell("service") !== "" && { work: time("service") },
    }];
  });
  if (entries.length === 0) fail(2, "there are no connections in it");
  return entries.sort((a, b) => a.at - b.at);
}

function wrongTime(name: string, value: string): string {
  return `${name}: "${value}" is not a time: write seconds, like 1.5, or a duration, like 200ms`;
}

function readTime(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * NS_PER_S);
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
