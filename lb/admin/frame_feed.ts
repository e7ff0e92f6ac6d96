import { encodeFrame, type Frame } from "../../lib/observe/mod.ts";
import { serverSentEvent, type StreamReader } from "../../lib/admin/mod.ts";

const FRAME_MS = 100;

/**
 * The frames of `GET /api/frames`: ten per second while there is a reader. A reader that is behind misses frames. No
 * frame needs an earlier one, and the numbers of the frames show the gap.
 */
export class FrameFeed {
  readonly #frame: () => Frame;
  readonly #readers = new Set<StreamReader>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(frame: () => Frame) {
    this.#frame = frame;
  }

  /** The number of readers. */
  get readers(): number {
    return this.#readers.size;
  }

  add(reader: StreamReader): void {
    this.#readers.add(reader);
    reader.onEnd(() => {
      this.#readers.delete(reader);
      if (this.#readers.size === 0) this.stop();
    });
    reader.write("retry: 1000\n\n");
    this.#timer ??= setInterval(() => this.#send(), FRAME_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #send(): void {
    const text = serverSentEvent("frame", encodeFrame(this.#frame()));
    for (const reader of this.#readers) if (!reader.isBehind) reader.write(text);
  }
}
