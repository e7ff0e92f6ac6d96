import { setTimeout as delay } from "node:timers/promises";
import type { Io } from "../lib/cli/mod.ts";
import { monotonicNow, timerDelay } from "../lib/io/mod.ts";
import {
  escapedJson,
  escapeText,
  LineReader,
  type Nanoseconds,
  NS_PER_MS,
} from "../lib/base/mod.ts";
import { LiveLine } from "./live_line.ts";
import type { ClientSession, Exchange } from "./session.ts";

/** Options of a batch. */
export interface BatchOptions {
  /** The pause between two lines. */
  readonly interval: Nanoseconds;
  readonly json: boolean;
}

/** The longest line that is read from standard input. */
const LINE_BYTES_MAX = 1024 * 1024;

/** Sends lines one after the other and prints the answers. Sets exit code 1 if a line got no answer. */
export async function sendBatch(
  session: ClientSession,
  lines: AsyncIterable<string> | Iterable<string>,
  options: BatchOptions,
  io: Io,
): Promise<void> {
  using live = new LiveLine(io, monotonicNow);
  let first = true;
  for await (const line of lines) {
    if (io.signal.aborted) break;
    if (!first && options.interval > 0) await pause(options.interval, io.signal);
    if (io.signal.aborted) break;
    first = false;
    const exchange = await session.send(line);
    live.record(exchange.ms * NS_PER_MS, exchange.error !== undefined);
    print(exchange, options, io);
    await io.written();
  }
  session.close();
  hint(session, options, io);
}

/** `count` rounds of the lines. */
export function* repeated(lines: readonly string[], count: number): Generator<string> {
  for (let round = 0; round < count; round++) yield* lines;
}

/** The lines of standard input. */
export async function* standardInput(): AsyncGenerator<string> {
  const reader = new LineReader(Deno.stdin, LINE_BYTES_MAX);
  const decoder = new TextDecoder();
  let line: Uint8Array | null;
  while ((line = await reader.next()) !== null) yield decoder.decode(line);
}

function print(exchange: Exchange, { json }: BatchOptions, io: Io): void {
  if (exchange.error !== undefined) io.setExitCode(1);
  if (json) io.out(escapedJson(exchange));
  else if (exchange.answer === undefined) {
    io.err(
      `lbsim: no answer to ${escapedJson(exchange.line)}: ${escapeText(exchange.message ?? "")}`,
    );
  } else if (io.stdoutIsTerminal) io.out(escapeText(exchange.answer));
  else io.out(exchange.answer);
}

/**
 * Prints a hint, because many users expect that each line goes to another backend. A balancer balances connections,
 * not lines.
 */
function hint(session: ClientSession, { json }: BatchOptions, io: Io): void {
  const { answers, connections } = session.counts;
  const oneOfMany = answers > 1 && connections === 1;
  if (json || !oneOfMany || !io.stdoutIsTerminal) return;
  io.err(
    `(${answers} answers over one connection, so from one backend; ` +
      "--new-connection opens one for each line)",
  );
}

async function pause(duration: Nanoseconds, signal: AbortSignal): Promise<void> {
  try {
    await delay(timerDelay(duration), undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
