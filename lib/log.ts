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

/** What is written and how. */
export interface LogOptions {
  readonly level: "debug" | "info" | "warning" | "error";
  /** `auto`: pretty on a terminal, JSON lines otherwise. */
  readonly format: "auto" | "pretty" | "json";
}

/** Where it is written. */
export interface LogTarget {
  out(line: string): void;
  readonly stdoutIsTerminal: boolean;
  readonly color: boolean;
}

/** The logger of a part of lbsim: `logger("lb")`. */
export function logger(part: string): Logger {
  return getLogger(["lbsim", part]);
}

/** Sends all logging to the target, until it is set up again or `stopLogging` is called. */
export function startLogging(options: LogOptions, target: LogTarget): void {
  const pretty = options.format === "pretty" ||
    (options.format === "auto" && target.stdoutIsTerminal);
  const format = pretty ? (record: LogRecord) => prettyLine(record, target.color) : jsonLine;
  configureSync({
    reset: true,
    sinks: { out: (record) => target.out(format(record)) },
    loggers: [
      { category: "lbsim", lowestLevel: options.level, sinks: ["out"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["out"] },
    ],
  });
}

/**
 * Writes a record: a sentence as it stands (LogTape would take braces for placeholders) and what it is
 * made of.
 */
export function logSentence(
  log: Logger,
  level: LogOptions["level"],
  sentence: string,
  properties: Record<string, unknown>,
): void {
  log[level](sentence.replaceAll("{", "{{").replaceAll("}", "}}"), properties);
}

/** Forgets the target. */
export function stopLogging(): void {
  resetSync();
}

/** One JSON object: time, level, message, and the properties as they are. */
function jsonLine({ timestamp, level, message, properties }: LogRecord): string {
  const time = new Date(timestamp).toISOString();
  return JSON.stringify({ time, level, message: message.join(""), ...properties });
}

const STYLES = {
  trace: "dim",
  debug: "dim",
  info: "green",
  warning: "yellow",
  error: "red",
  fatal: "red",
} as const satisfies Record<LogLevel, string>;

/** `12:34:56.789 warning  B2 is down: …`, with the local time of day. */
function prettyLine({ timestamp, level, message }: LogRecord, color: boolean): string {
  const time = new Date(timestamp);
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, "0")).join(":");
  const millis = String(time.getMilliseconds()).padStart(3, "0");
  const paint = (style: "dim" | "green" | "yellow" | "red", text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text;
  return `${paint("dim", `${clock}.${millis}`)} ${paint(STYLES[level], level.padEnd(7))} ${
    message.join("")
  }`;
}
