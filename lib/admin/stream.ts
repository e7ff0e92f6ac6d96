import type { ServerResponse } from "node:http";

/** A reader with more unread bytes than this gets nothing more until it has read a part of them. */
export const BACKLOG_BYTES_MAX = 256 * 1024;
/** The time between two heartbeats. Without traffic, the balancer may not notice that a connection has ended. */
const HEARTBEAT_MS = 15_000;
/** A reader that is behind for more heartbeats than this is disconnected. */
const BEATS_BEHIND_MAX = 4;

/** One reader of server-sent events. */
export class StreamReader {
  readonly #response: ServerResponse;
  readonly #heartbeat: ReturnType<typeof setInterval>;
  #beatsBehind = 0;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    response.once("close", () => clearInterval(this.#heartbeat));
    response.flushHeaders();
  }

  #beat(): void {
    this.#beatsBehind = this.isBehind ? this.#beatsBehind + 1 : 0;
    if (this.#beatsBehind > BEATS_BEHIND_MAX) this.#response.destroy();
    else if (!this.isBehind) this.write(": \n\n");
  }

  /** Whether too much is still unread. */
  get isBehind(): boolean {
    return this.#response.writableLength > BACKLOG_BYTES_MAX;
  }

  write(text: string): void {
    if (!this.#response.destroyed) this.#response.write(text);
  }

  /** Calls `ended` once, when the reader has disconnected. */
  onEnd(ended: () => void): void {
    this.#response.once("close", ended);
  }
}

/** One server-sent event. */
export function serverSentEvent(event: string, data: string, id?: string): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`;
}
