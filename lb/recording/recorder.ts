import type { Logger } from "@logtape/logtape";
import { NS_PER_S, VERSION } from "../../lib/base/mod.ts";
import { logSentence, Output } from "../../lib/cli/mod.ts";
import { type EventStream, type StreamEvent, toMs } from "../../lib/core/mod.ts";
import { type Clock, sleep, writeFailure } from "../../lib/io/mod.ts";
import {
  FORMAT,
  type LinesDropped,
  Pseudonyms,
  RECORDED_TYPES,
  type RecordingEnded,
  type RecordingHead,
} from "../../lib/recording/mod.ts";
import { keyedHashOf } from "./key.ts";
import { type RecordingBounds, RecordingFile } from "./recording_file.ts";

/** The largest size of the lines that wait to be written, in characters: some seconds of a busy balancer. */
const WAITING_MAX = 16 * 1024 * 1024;
/** The longest time for writing the last lines when the recording ends. */
const LAST_WRITE = 5 * NS_PER_S;

const encoder = new TextEncoder();

/** Where a run is recorded. */
export interface RecordOptions extends RecordingBounds {
  readonly file: string;
  /** The file with the key for the pseudonyms of clients; undefined: the recording has their addresses. */
  readonly keyFile?: string | undefined;
}

/** Options of a recorder. */
interface RecorderOptions extends RecordOptions {
  readonly events: EventStream;
  readonly now: Clock;
  readonly log: Logger;
  /** The largest size of the lines that wait to be written, in characters. */
  readonly waitingMax?: number;
}

/**
 * Writes the events of a run to a recording. It never delays the balancer: lines wait in a bounded buffer. If they
 * cannot be written in time, the oldest are dropped, and the recording contains their number.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #file: RecordingFile;
  readonly #output: Output;
  readonly #unsubscribe: () => void;
  #lastFailure = "";
  /** The number of dropped lines that the recording has reported. */
  #dropped = 0;
  /** The number of missing lines that the write in progress reports. */
  #dropping = 0;

  /** @throws {UserError} if the file cannot be written. */
  static async start(options: RecorderOptions): Promise<Recorder> {
    const { keyFile } = options;
    const pseudonyms = keyFile === undefined
      ? undefined
      : new Pseudonyms(await keyedHashOf(keyFile));
    const run = crypto.randomUUID();
    let configuration: RecordingHead["configuration"];
    // The head of each later file contains the configuration, so that each file can be understood alone.
    const stop = options.events.subscribe(
      "recorded configuration",
      ["run_started", "configuration_used"],
      (event) => {
        const said = (pseudonyms?.event(event) ?? event) as typeof event;
        configuration = said.configuration;
      },
    );
    const head = (part: number) =>
      headLine(run, part, pseudonyms !== undefined, part === 1 ? undefined : configuration);
    try {
      const file = await RecordingFile.create(options.file, options, head);
      return new Recorder(options, file, pseudonyms, stop);
    } catch (error) {
      stop();
      throw error;
    }
  }

  private constructor(
    options: RecorderOptions,
    file: RecordingFile,
    pseudonyms: Pseudonyms | undefined,
    stopFollowing: () => void,
  ) {
    this.#options = options;
    this.#file = file;
    const sink = { write: (bytes: Uint8Array) => this.#writeTo(file, bytes) };
    this.#output = new Output(sink, {
      failed: (error) => this.#failed(error),
      logMax: options.waitingMax ?? WAITING_MAX,
    });
    const unsubscribe = options.events.subscribe(
      "recording",
      RECORDED_TYPES,
      (event) => this.#write(pseudonyms?.event(event) ?? event),
    );
    this.#unsubscribe = () => {
      unsubscribe();
      stopFollowing();
    };
  }

  /** Ends the recording when its last lines have been written. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#write({ type: "recording_ended", at_ms: toMs(this.#options.now()) });
    const late = new AbortController();
    await Promise.race([this.#output.written(), sleep(LAST_WRITE, late.signal)]);
    late.abort();
    this.#file.close();
    const { log, file } = this.#options;
    const missing = this.#dropped + this.#output.unwrittenLogLines;
    if (missing === 0) return;
    const sentence =
      `the recording ${file} lacks ${missing} lines, which could not be written in time`;
    logSentence(log, "warning", sentence, { event: "recording_incomplete", file, lines: missing });
  }

  #write(event: StreamEvent | RecordingEnded): void {
    this.#output.log(JSON.stringify(event), (count) => {
      this.#dropping = count;
      return JSON.stringify({ type: "lines_dropped", count } satisfies LinesDropped);
    });
  }

  async #writeTo(file: RecordingFile, bytes: Uint8Array): Promise<number> {
    const dropping = this.#dropping;
    this.#dropping = 0;
    const written = await file.write(bytes);
    // If the write has failed, the recording reports the missing lines later, together with those of this write.
    this.#dropped += dropping;
    return written;
  }

  /** Handles a failed write. A full disk must not stop a balancer. */
  #failed(error: unknown): boolean {
    const reason = writeFailure(error);
    if (reason !== this.#lastFailure) {
      this.#lastFailure = reason;
      const { log, file } = this.#options;
      const sentence =
        `the recording ${file} cannot be written (${reason}); trying again every second`;
      logSentence(log, "warning", sentence, { event: "recording_failed", file, reason });
    }
    return true;
  }
}

function headLine(
  run: string,
  part: number,
  isPseudonymous: boolean,
  configuration: RecordingHead["configuration"],
): Uint8Array {
  const head: RecordingHead = {
    ...{ type: "recording", format: FORMAT, lbsim: VERSION, run, part } as const,
    clients: isPseudonymous ? "pseudonyms" : "addresses",
    ...configuration !== undefined && { configuration },
  };
  return encoder.encode(`${JSON.stringify(head)}\n`);
}
