/** The log: LogTape, set up once by `main.ts` or a test. */
import {
  configureSync,
  getLogger,
  type Logger,
  type LogLevel,
  type LogRecord,
  resetSync,
} from "@logtape/logtape";
import { styleText } from "node:util";
import { fitted } from "./fit.ts";
import { escapedJson, escapeText } from "../base/mod.ts";

/** Options of the log. */
export interface LogOptions {
  readonly level: "debug" | "info" | "warning" | "error";
  /** `auto`: pretty on a terminal, JSON lines otherwise. */
  readonly format: "auto" | "pretty" | "json";
}

/** The target of the log. */
export interface LogTarget {
  /** Takes a line. If it must drop lines, `describeDropped` returns the line that states their number. */
  out(line: string, describeDropped: (count: number) => string): void;
  readonly stdoutIsTerminal: boolean;
  readonly color: boolean;
  /** The width of the terminal now. */
  width?(): number;
}

/**
 * Tells LogTape that a sink keeps no record. Then LogTape does not copy each record first. The copy would be a third of
 * the cost of a log line.
 */
const IMMEDIATE = { [Symbol.for("LogTape.sinkSnapshotPolicy.immediate")]: true };

/** The logger of a part of lbsim: `logger("lb")`. */
export function logger(part: string): Logger {
  return getLogger(["lbsim", part]);
}

/** Sends all logging to the target, until it is set up again or `stopLogging` is called. */
export function startLogging(options: LogOptions, target: LogTarget): void {
  const pretty = options.format === "pretty" ||
    (options.format === "auto" && target.stdoutIsTerminal);
  const format = pretty
    ? (record: LogRecord) => prettyLine(record, target.color, roomFor(record, target))
    : jsonLine;
  const describeDropped = (count: number) => format(droppedRecord(count));
  const out = (record: LogRecord) => target.out(format(record), describeDropped);
  configureSync({
    reset: true,
    sinks: { out: Object.assign(out, IMMEDIATE) },
    loggers: [
      { category: "lbsim", lowestLevel: options.level, sinks: ["out"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["out"] },
    ],
  });
}

/**
 * Writes a record: a sentence, and the data from which it was made. The sentence is written unchanged: LogTape's own
 * methods would read braces in it as placeholders. The sentence and the data may contain text from outside.
 *
 * @param more `details`: lines that belong below the sentence, like an excerpt of a file. `timestamp`: the time of the
 *   event in milliseconds since 1970, if it is not now.
 */
export function logSentence(
  log: Logger,
  level: LogOptions["level"],
  sentence: string,
  properties: Record<string, unknown>,
  more?: RecordDetails,
): void {
  if (log.isEnabledFor(level)) {
    log.emit(recordOf(log.category, level, sentence, properties, more));
  }
}

interface RecordDetails {
  readonly details?: readonly string[];
  readonly timestamp?: number;
}

/** A record whose `message` is a list of lines. In LogTape's own records, it is a list of the parts of one line. */
function recordOf(
  category: readonly string[],
  level: LogOptions["level"],
  sentence: string,
  properties: Record<string, unknown>,
  { details = [], timestamp = Date.now() }: RecordDetails = {},
): LogRecord {
  return {
    category,
    level,
    message: [sentence, ...details],
    rawMessage: sentence,
    timestamp,
    properties,
  };
}

/** The lines of a record. A record of LogTape's own has one line. */
function linesOf({ category, message }: LogRecord): readonly string[] {
  return category[0] === "lbsim" ? message as string[] : [message.map(String).join("")];
}

function droppedRecord(count: number): LogRecord {
  const sentence = `${count} log line${
    count === 1 ? "" : "s"
  } dropped: nothing read the log in time`;
  return recordOf(["lbsim"], "warning", sentence, { event: "log_lines_dropped", count });
}

/** Ends logging: the target gets no more lines. */
export function stopLogging(): void {
  resetSync();
}

/** One JSON object: time, level, message, and the properties as they are. */
function jsonLine(record: LogRecord): string {
  const { timestamp, level, properties } = record;
  return escapedJson({
    time: isoTime(timestamp),
    level,
    message: linesOf(record).join("\n"),
    ...properties,
  });
}

let lastTime = { timestamp: NaN, text: "" };

/** The time in ISO 8601. The last one is kept, because many records have the same time as the record before. */
function isoTime(timestamp: number): string {
  if (lastTime.timestamp !== timestamp) {
    lastTime = { timestamp, text: new Date(timestamp).toISOString() };
  }
  return lastTime.text;
}

const STYLES = {
  trace: "dim",
  debug: "dim",
  info: "green",
  warning: "yellow",
  error: "red",
  fatal: "red",
} as const satisfies Record<LogLevel, string>;

/** Columns of a line before its sentence. */
const PREFIX = "12:34:56.789 warning ".length;

/**
 * The largest number of columns for a sentence. Only a status line is cut to one line of the terminal, because it is
 * logged again and again.
 */
function roomFor({ properties }: LogRecord, { stdoutIsTerminal, width }: LogTarget): number {
  const isStatus = properties.event === "status" && stdoutIsTerminal;
  return isStatus && width !== undefined ? width() - PREFIX : Infinity;
}

/** `12:34:56.789 warning  B2 is down: …`, with the local time of day. Further lines are indented. */
function prettyLine(record: LogRecord, color: boolean, room: number): string {
  const { timestamp, level } = record;
  const time = new Date(timestamp);
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, "0")).join(":");
  const millis = String(time.getMilliseconds()).padStart(3, "0");
  const paint = (style: "dim" | "green" | "yellow" | "red", text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text;
  const text = linesOf(record).map((line) => fitted(escapeText(line), room)).join("\n  ");
  return `${paint("dim", `${clock}.${millis}`)} ${paint(STYLES[level], level.padEnd(7))} ${text}`;
}
