import { NS_PER_MS, NS_PER_S } from "../base/mod.ts";
import { sleep } from "../io/sleep.ts";

/** The target of bytes: standard output or standard error. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<number>;
}

/** Options of an output. */
export interface OutputOptions {
  /** Called when a write fails. Returns whether to write log lines again later; otherwise the output is closed. */
  failed(error: unknown, lost: Lost): boolean;
  /** The largest size of the log lines that wait to be written, in characters. */
  readonly logMax?: number;
}

/** The content of a failed write. `text` may include log lines. */
export type Lost = "text" | "log";

/** The default of `logMax`: some seconds of a busy log. */
const LOG_MAX = 1024 * 1024;
/** One write has at most about this many characters, so that only a few lines are being written at the same time. */
const BATCH_MAX = 64 * 1024;
/** Log lines that arrive within this time after a write are written together, in the next write. */
const LOG_PACE = 10 * NS_PER_MS;
/** If another program has made a stream non-blocking, and the stream is full: the time until the next attempt. */
const FULL_RETRY = 20 * NS_PER_MS;
/** Time until the next attempt to write to a stream that has failed, like a file on a full disk. */
const FAILED_RETRY = NS_PER_S;

const CLEAR_LINE = "\r\x1b[2K";

const encoder = new TextEncoder();

/**
 * Writes to standard output or standard error, and never blocks the event loop. A pipe or a terminal whose reader has
 * stopped could block a write without a limit. So one write at a time is in progress on another thread, and the rest
 * waits here. Text waits without a limit. Log lines wait in a bounded buffer: when it is full, the oldest are
 * dropped, and the next write states their number.
 */
export class Output {
  readonly #sink: ByteSink;
  readonly #options: OutputOptions;
  readonly #log: LogBuffer;
  #text: string[] = [];
  /** The line below all others; empty for none. */
  #status = "";
  #shownStatus = "";
  #isWriting = false;
  #isWritingText = false;
  #logLinesUnderWay = 0;
  #isClosed = false;
  #waiting: (() => void)[] = [];
  #endPause = () => {};

  constructor(sink: ByteSink, options: OutputOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#log = new LogBuffer(options.logMax ?? LOG_MAX);
  }

  /** Whether there is text that has not been written. */
  get owesText(): boolean {
    return this.#isWritingText || this.#text.length > 0;
  }

  /** The number of lines of the log that have not been written, including dropped ones. */
  get unwrittenLogLines(): number {
    return this.#logLinesUnderWay + this.#log.lines;
  }

  /** Writes text, and keeps it until the reader takes it. */
  write(text: string): void {
    if (this.#isClosed) return;
    this.#text.push(text);
    this.#endPause();
    this.#start();
  }

  /**
   * Writes a line of a log, unless the reader is too slow for it.
   *
   * @param describeDropped Returns the line that states the number of dropped lines.
   */
  log(line: string, describeDropped: (count: number) => string): void {
    if (this.#isClosed) return;
    this.#log.push(line, describeDropped);
    this.#start();
  }

  /**
   * On a terminal: shows a status line below all other lines. It replaces the previous status line; an
   * empty text removes it.
   */
  status(line: string): void {
    if (this.#isClosed) return;
    this.#status = line;
    this.#start();
  }

  /** Resolves when everything has been written, or the output is closed. */
  written(): Promise<void> {
    if (!this.#isWriting) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#endPause();
    return promise;
  }

  /** Resolves all promises that `written` has returned so far. */
  stopWaiting(): void {
    this.#waiting.forEach((resolve) => resolve());
    this.#waiting = [];
  }

  #start(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    // Everything that is written in this turn of the event loop goes into the same write.
    queueMicrotask(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const batch = this.#take();
      if (batch === undefined) break;
      await this.#writeBatch(batch);
      await this.#gather();
    }
    this.#isWriting = false;
    this.#isWritingText = false;
    this.stopWaiting();
  }

  /** Collects log lines for one write, unless other text waits. */
  async #gather(): Promise<void> {
    if (this.#log.isEmpty || this.#text.length > 0 || this.#waiting.length > 0) return;
    const ended = new AbortController();
    this.#endPause = () => ended.abort();
    await sleep(LOG_PACE, ended.signal);
  }

  /** The next write; undefined if there is nothing to write. */
  #take(): Batch | undefined {
    const text = this.#text.join("");
    this.#text = [];
    this.#isWritingText = text !== "";
    const log = this.#log.take(Math.max(0, BATCH_MAX - text.length));
    const lines = text + log.text;
    if (lines === "" && this.#status === this.#shownStatus) return undefined;
    const clear = this.#shownStatus === "" ? "" : CLEAR_LINE;
    this.#shownStatus = this.#status;
    return { bytes: encoder.encode(clear + lines + this.#status), logLines: log.lines };
  }

  async #writeBatch({ bytes, logLines }: Batch): Promise<void> {
    this.#logLinesUnderWay = logLines;
    try {
      await writePatiently(this.#sink, bytes);
      this.#logLinesUnderWay = 0;
    } catch (error) {
      this.#logLinesUnderWay = 0;
      const lost = this.#isWritingText ? "text" : "log";
      if (this.#options.failed(error, lost)) {
        this.#log.noteDropped(logLines);
        await sleep(FAILED_RETRY);
      } else {
        this.#close();
      }
    }
  }

  #close(): void {
    this.#isClosed = true;
    this.#text = [];
    this.#log.clear();
  }
}

interface Batch {
  readonly bytes: Uint8Array;
  readonly logLines: number;
}

async function writePatiently(sink: ByteSink, bytes: Uint8Array): Promise<void> {
  let left = bytes;
  while (left.length > 0) {
    try {
      left = left.subarray(await sink.write(left));
    } catch (error) {
      if (error instanceof Deno.errors.WouldBlock) await sleep(FULL_RETRY);
      else if (!(error instanceof Deno.errors.Interrupted)) throw error;
    }
  }
}

/** Log lines that wait to be written, up to a number of characters; above it the oldest lines are dropped. */
class LogBuffer {
  readonly #max: number;
  #lines: string[] = [];
  /** The index of the oldest line; the lines before it were taken or dropped. */
  #start = 0;
  #size = 0;
  #dropped = 0;
  #describeDropped: (count: number) => string = () => "";

  constructor(max: number) {
    this.#max = max;
  }

  get isEmpty(): boolean {
    return this.lines === 0;
  }

  /** The number of lines, including dropped ones that have not been reported yet. */
  get lines(): number {
    return this.#lines.length - this.#start + this.#dropped;
  }

  push(line: string, describeDropped: (count: number) => string): void {
    this.#describeDropped = describeDropped;
    this.#lines.push(line);
    this.#size += line.length + 1;
    while (this.#size > this.#max) {
      this.#shift();
      this.#dropped++;
    }
    if (this.#start > 1000 && 2 * this.#start > this.#lines.length) {
      this.#lines = this.#lines.slice(this.#start);
      this.#start = 0;
    }
  }

  /** Counts lines as dropped: `take` returned them, but they were not written. */
  noteDropped(count: number): void {
    this.#dropped += count;
  }

  /**
   * Takes the oldest lines, as many as fit. If lines were dropped, the text begins with a line that states their
   * number. `lines` is the number of lines that were taken or dropped.
   */
  take(max: number): { text: string; lines: number } {
    let text = "";
    let lines = 0;
    if (max > 0 && this.#dropped > 0) {
      text = `${this.#describeDropped(this.#dropped)}\n`;
      lines = this.#dropped;
      this.#dropped = 0;
    }
    while (text.length < max && this.#start < this.#lines.length) {
      text += `${this.#shift()}\n`;
      lines++;
    }
    if (this.#start === this.#lines.length) {
      this.#lines = [];
      this.#start = 0;
    }
    return { text, lines };
  }

  clear(): void {
    this.#lines = [];
    this.#start = 0;
    this.#size = 0;
    this.#dropped = 0;
  }

  #shift(): string {
    const line = this.#lines[this.#start]!;
    this.#lines[this.#start++] = "";
    this.#size -= line.length + 1;
    return line;
  }
}
