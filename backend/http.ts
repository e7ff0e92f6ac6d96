import { type LineReader, writeAll } from "../lib/lines.ts";

/** As much of a request as it takes to answer it. */
interface Request {
  readonly head: boolean;
  readonly keepAlive: boolean;
}

/** Header sections longer than this are refused. */
const HEADER_BYTES_MAX = 64 * 1024;

const REQUEST_LINE = /^([A-Z]+) \S+ HTTP\/1\.([01])$/;

const decoder = new TextDecoder("latin1");
const encoder = new TextEncoder();

/** Whether a connection that begins with this line speaks HTTP/1. */
export function isRequestLine(line: Uint8Array): boolean {
  // The cheap test first: nearly every line of the echo protocol fails it.
  const looksLike = line.length >= 14 && line[line.length - 2] === 46; // "." of "HTTP/1.1"
  return looksLike && REQUEST_LINE.test(decoder.decode(line));
}

/** HTTP/1 as far as curl, a browser and wrk need it: any request gets the same short answer. */
export class HttpConversation {
  readonly #reader: LineReader;
  readonly #socket: Deno.Conn;
  readonly #body: string;

  constructor(reader: LineReader, socket: Deno.Conn, id: string) {
    this.#reader = reader;
    this.#socket = socket;
    this.#body = `Hello from ${id}\n`;
  }

  /** The rest of a request, its body passed over; undefined if it cannot be answered and the connection must close. */
  async readRequest(first: Uint8Array): Promise<Request | undefined> {
    const match = REQUEST_LINE.exec(decoder.decode(first));
    if (match === null) {
      await this.#refuse("400 Bad Request");
      return undefined;
    }
    const [, method, minor] = match;
    let keepAlive = minor === "1";
    let contentLength = 0;
    let chunked = false;
    let bytes = 0;
    while (true) {
      const line = this.#reader.arrived() ?? await this.#reader.next();
      if (line === null) return undefined;
      if (line.length === 0) break;
      bytes += line.length;
      if (bytes > HEADER_BYTES_MAX) {
        await this.#refuse("431 Request Header Fields Too Large");
        return undefined;
      }
      const [, name = "", value = ""] = /^([^:\s]+):\s*(.*?)\s*$/.exec(decoder.decode(line)) ?? [];
      switch (name.toLowerCase()) {
        case "connection":
          if (/\bclose\b/i.test(value)) keepAlive = false;
          else if (/\bkeep-alive\b/i.test(value)) keepAlive = true;
          break;
        case "content-length":
          contentLength = Number(value);
          break;
        case "transfer-encoding":
          chunked = /\bchunked\b/i.test(value);
          break;
        case "expect":
          if (/100-continue/i.test(value)) await this.#send("HTTP/1.1 100 Continue\r\n\r\n");
      }
    }
    if (!Number.isSafeInteger(contentLength) || contentLength < 0) {
      await this.#refuse("400 Bad Request");
      return undefined;
    }
    const whole = chunked ? await this.#skipChunks() : await this.#reader.skip(contentLength);
    return whole ? { head: method === "HEAD", keepAlive } : undefined;
  }

  /** Answers a request. Returns whether the connection goes on. */
  async answer(request: Request, well: boolean): Promise<boolean> {
    const status = well ? "200 OK" : "500 Internal Server Error";
    const body = well ? this.#body : `${this.#body.trimEnd()}: failing as told\n`;
    await this.#send(
      `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
        `Content-Length: ${encoder.encode(body).length}\r\n` +
        `Connection: ${request.keepAlive ? "keep-alive" : "close"}\r\n\r\n` +
        (request.head ? "" : body),
    );
    return request.keepAlive;
  }

  async #skipChunks(): Promise<boolean> {
    while (true) {
      const line = await this.#reader.next();
      const size = line === null ? NaN : parseInt(decoder.decode(line), 16);
      if (!Number.isSafeInteger(size) || size < 0) return false;
      if (size === 0) break;
      if (!await this.#reader.skip(size)) return false;
      if (await this.#reader.next() === null) return false; // The line end after the chunk.
    }
    // Trailers, up to the empty line.
    while (true) {
      const line = await this.#reader.next();
      if (line === null || line.length === 0) return line !== null;
    }
  }

  async #refuse(status: string): Promise<void> {
    await this.#send(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  }

  async #send(text: string): Promise<void> {
    await writeAll(this.#socket, encoder.encode(text));
  }
}
