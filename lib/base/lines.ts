const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

/** A line is longer than its reader allows. */
export class LineTooLong extends Error {
  override readonly name = "LineTooLong";
}

/** A source of bytes: a connection, or standard input. */
export interface ByteSource {
  read(buffer: Uint8Array): Promise<number | null>;
}

/**
 * Reads lines, and bytes between them, from a stream. A line ends with LF or CRLF, which are not part of
 * it; at the end of the stream the rest counts as a line. Memory is bounded by the longest line.
 */
export class LineReader {
  readonly #source: ByteSource;
  readonly #lineBytesMax: number;
  #buffer = new Uint8Array(2048);
  #start = 0;
  #end = 0;
  /** The buffer has no newline before this position. */
  #searched = 0;

  constructor(source: ByteSource, lineBytesMax: number) {
    this.#source = source;
    this.#lineBytesMax = lineBytesMax;
  }

  /**
   * The next line, if it has arrived completely. It is valid until the next call.
   *
   * @throws {LineTooLong}
   */
  arrived(): Uint8Array | undefined {
    const from = Math.max(this.#searched, this.#start);
    const newline = this.#buffer.subarray(0, this.#end).indexOf(NEWLINE, from);
    const length = (newline === -1 ? this.#end : newline) - this.#start;
    if (length > this.#lineBytesMax) {
      throw new LineTooLong(`line longer than ${this.#lineBytesMax} bytes`);
    }
    if (newline === -1) {
      this.#searched = this.#end;
      return undefined;
    }
    const line = this.#line(newline);
    this.#start = newline + 1;
    return line;
  }

  /**
   * The next line; null at the end of the stream. It is valid until the next call.
   *
   * @throws {LineTooLong}
   */
  async next(): Promise<Uint8Array | null> {
    while (true) {
      const line = this.arrived();
      if (line !== undefined) return line;
      if (await this.#fill()) continue;
      if (this.#start === this.#end) return null;
      const rest = this.#line(this.#end);
      this.#start = this.#end;
      return rest;
    }
  }

  /** Whether the line that was read last ended with CRLF, and not with LF only or at the end of the stream. */
  get endedWithCrLf(): boolean {
    const { [this.#start - 2]: before, [this.#start - 1]: last } = this.#buffer;
    return before === CARRIAGE_RETURN && last === NEWLINE;
  }

  /** Skips bytes. Returns whether the stream had that many. */
  async skip(count: number): Promise<boolean> {
    let left = count;
    while (left > this.#end - this.#start) {
      left -= this.#end - this.#start;
      this.#start = this.#end;
      if (!await this.#fill()) return false;
    }
    this.#start += left;
    return true;
  }

  #line(end: number): Uint8Array {
    const last = end > this.#start && this.#buffer[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
    return this.#buffer.subarray(this.#start, last);
  }

  async #fill(): Promise<boolean> {
    if (this.#start === this.#end) {
      this.#start = this.#end = this.#searched = 0;
    } else if (this.#end === this.#buffer.length) {
      this.#makeRoom();
    }
    const count = await this.#source.read(this.#buffer.subarray(this.#end));
    if (count === null) return false;
    this.#end += count;
    return true;
  }

  #makeRoom(): void {
    const pending = this.#buffer.subarray(this.#start, this.#end);
    const room = pending.length > this.#buffer.length / 2
      ? new Uint8Array(2 * this.#buffer.length)
      : this.#buffer;
    room.set(pending);
    this.#searched -= this.#start;
    this.#end -= this.#start;
    this.#start = 0;
    this.#buffer = room;
  }
}

/** Writes all of the bytes. */
export async function writeAll(
  sink: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  let sent = await sink.write(bytes);
  while (sent < bytes.length) sent += await sink.write(bytes.subarray(sent));
}
