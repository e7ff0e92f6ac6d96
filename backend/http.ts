import { type LineReader, LineTooLong, writeAll } from "../lib/base/mod.ts";

/** The parts of a request that are needed to answer it. */
interface Request {
  /** The first line of the request. */
  readonly line: string;
  readonly head: boolean;
  readonly keepAlive: boolean;
  /** Whether it is a probe of lbsim's balancer. */
  readonly isProbe: boolean;
}

/** The limits of a header or trailer section. A request that exceeds them is refused. */
const SECTION_BYTES_MAX = 64 * 1024;
const SECTION_FIELDS_MAX = 100;
/** The largest size of all chunk extensions of a request. */
const EXTENSION_BYTES_MAX = 16 * 1024;
/** A body is skipped in pieces of this size, so that its progress shows. */
const PIECE_BYTES = 64 * 1024;

const VERSION = / HTTP\/\d\.\d$/;
const REQUEST_LINE = /^([!#$%&'*+.^_`|~\w-]+) [\x21-\x7e]+ HTTP\/1\.(\d)$/;
const FIELD = /^([!#$%&'*+.^_`|~\w-]+):([\t\x20-\x7e\x80-\uffff]*)$/;
/** The size of a chunk, with at most 13 digits: a longer size is not a safe integer. */
const CHUNK_SIZE = /^([0-9a-f]{1,13})([ \t]*;[\t\x20-\x7e\x80-\uffff]*)?$/i;

const decoder = new TextDecoder("latin1");
const encoder = new TextEncoder();

/** Whether this is the first line of an HTTP request, valid or not. */
export function isRequestLine(line: Uint8Array): boolean {
  // The cheap test first: nearly every line of the echo protocol fails it.
  return line[line.length - 2] === 46 && VERSION.test(decoder.decode(line.subarray(-9))); // "1.1"
}

/** A request that is refused: its status and the reason. */
class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: string;

  constructor(reason: string, status = "400 Bad Request") {
    super(reason);
    this.status = status;
  }
}

/** The `User-Agent` of the balancer's probes. */
const PROBE_AGENT = "lbsim";

/** The length of a body. */
type Body = { readonly bytes: number } | "chunked";

/**
 * The part of HTTP/1 that curl, browsers and wrk need. Every request that succeeds gets the same short answer.
 *
 * The beginning and the end of a request are determined as strictly as RFC 9112 permits. A request that can be
 * understood in two ways is refused, because a proxy in front of the backend may understand it in the other way.
 */
export class HttpConversation {
  readonly #reader: LineReader;
  readonly #socket: Deno.Conn;
  readonly #id: string;
  readonly #body: string;
  readonly #progress: () => void;

  /** @param progress Called as a body arrives. */
  constructor(reader: LineReader, socket: Deno.Conn, id: string, progress: () => void) {
    this.#reader = reader;
    this.#socket = socket;
    this.#id = id;
    this.#body = `Hello from ${id}\n`;
    this.#progress = progress;
  }

  /**
   * Reads the rest of a request, and skips its body. If the request was refused, the client has got the reason, and
   * the connection must be closed.
   */
  async readRequest(first: Uint8Array): Promise<Request | "refused" | "ended"> {
    try {
      return await this.#request(first) ?? "ended";
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      await this.#refuse(error);
      return "refused";
    }
  }

  /** Answers a request. Returns whether the connection stays open. */
  async answer(request: Request, well: boolean): Promise<boolean> {
    const status = well ? "200 OK" : "500 Internal Server Error";
    const body = well ? this.#body : `${this.#body.trimEnd()}: failed on purpose
`;
    await this.#send(
      `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
        `Content-Length: ${encoder.encode(body).length}\r\n` +
        `Connection: ${request.keepAlive ? "keep-alive" : "close"}\r\n\r\n` +
        (request.head ? "" : body),
    );
    return request.keepAlive;
  }

  async #request(first: Uint8Array): Promise<Request | undefined> {
    let requestLine: string | undefined = this.#text(first);
    // Some clients end a body with an empty line that they do not count.
    if (requestLine === "") requestLine = await this.#line("414 URI Too Long");
    if (requestLine === undefined) return undefined;
    const match = REQUEST_LINE.exec(requestLine);
    if (match === null) {
      throw VERSION.test(requestLine) && !/ HTTP\/1\.\d$/.test(requestLine)
        ? new Refusal("only HTTP/1 is supported", "505 HTTP Version Not Supported")
        : new Refusal("the request line must be like GET / HTTP/1.1");
    }
    const [, method, minor] = match;
    const fields = new Fields(minor !== "0");
    if (!await this.#section((name, value) => fields.add(name, value))) return undefined;
    const body = fields.body();
    if (method === "CONNECT") throw new Refusal("this is not a proxy", "501 Not Implemented");
    if (fields.expectsContinue && (body === "chunked" || body.bytes > 0)) {
      await this.#send("HTTP/1.1 100 Continue\r\n\r\n");
    }
    const whole = body === "chunked" ? await this.#skipChunks() : await this.#skip(body.bytes);
    return whole
      ? {
        line: requestLine,
        head: method === "HEAD",
        keepAlive: fields.keepAlive,
        isProbe: fields.isProbe,
      }
      : undefined;
  }

  /**
   * Reads header fields, or trailers, up to the empty line. Returns false if the connection ends before
   * this line.
   */
  async #section(take: (name: string, value: string) => void): Promise<boolean> {
    const tooLarge = "431 Request Header Fields Too Large";
    let bytes = 0;
    for (let count = 0;; count++) {
      const line = await this.#line(tooLarge);
      if (line === undefined) return false;
      if (line === "") return true;
      bytes += line.length;
      if (bytes > SECTION_BYTES_MAX || count >= SECTION_FIELDS_MAX) {
        throw new Refusal(
          `at most ${SECTION_FIELDS_MAX} fields of ${SECTION_BYTES_MAX} bytes in all`,
          tooLarge,
        );
      }
      const match = FIELD.exec(line);
      if (match === null) throw new Refusal("a header field must be like Name: value, on one line");
      take(match[1]!.toLowerCase(), withoutSpace(match[2]!));
    }
  }

  async #skipChunks(): Promise<boolean> {
    let extensions = 0;
    while (true) {
      const line = await this.#line();
      if (line === undefined) return false;
      const [, digits, extension = ""] = CHUNK_SIZE.exec(line) ?? [];
      if (digits === undefined) {
        throw new Refusal("a chunk must begin with its size in hexadecimal");
      }
      extensions += extension.length;
      if (extensions > EXTENSION_BYTES_MAX) throw new Refusal("the chunk extensions are too long");
      const size = parseInt(digits, 16);
      if (size === 0) return await this.#section(() => {});
      if (!await this.#skip(size)) return false;
      const end = await this.#line();
      if (end === undefined) return false;
      if (end !== "") throw new Refusal("a chunk is longer than its size");
    }
  }

  async #skip(bytes: number): Promise<boolean> {
    for (let left = bytes; left > 0; left -= PIECE_BYTES) {
      if (!await this.#reader.skip(Math.min(left, PIECE_BYTES))) return false;
      this.#progress();
    }
    return true;
  }

  /** The next line; undefined at the end of the stream. */
  async #line(ifTooLong?: string): Promise<string | undefined> {
    try {
      const line = this.#reader.arrived() ?? await this.#reader.next();
      return line === null ? undefined : this.#text(line);
    } catch (error) {
      if (error instanceof LineTooLong) throw new Refusal(error.message, ifTooLong);
      throw error;
    }
  }

  /** A line that has just been read. */
  #text(line: Uint8Array): string {
    if (!this.#reader.endedWithCrLf) throw new Refusal("each line must end with CRLF");
    return decoder.decode(line);
  }

  async #refuse({ status, message }: Refusal): Promise<void> {
    const body = `${this.#id}: ${message}\n`;
    await this.#send(
      `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
        `Content-Length: ${encoder.encode(body).length}\r\nConnection: close\r\n\r\n${body}`,
    );
  }

  async #send(text: string): Promise<void> {
    await writeAll(this.#socket, encoder.encode(text));
  }
}

/** The header fields that decide how a request is read. */
class Fields {
  readonly #isLatest: boolean;
  readonly #codings: string[] = [];
  #length: number | undefined;
  #hosts = 0;
  #closes = false;
  #keeps = false;
  #expects = false;
  #agent = "";

  /** @param isLatest Whether the request is of HTTP/1.1; of HTTP/1.0 otherwise. */
  constructor(isLatest: boolean) {
    this.#isLatest = isLatest;
  }

  get keepAlive(): boolean {
    return !this.#closes && (this.#isLatest || this.#keeps);
  }

  get expectsContinue(): boolean {
    return this.#isLatest && this.#expects;
  }

  get isProbe(): boolean {
    return this.#agent === PROBE_AGENT;
  }

  add(name: string, value: string): void {
    switch (name) {
      case "connection":
        for (const option of listOf(value)) {
          if (option === "close") this.#closes = true;
          if (option === "keep-alive") this.#keeps = true;
        }
        break;
      case "content-length":
        if (this.#length !== undefined) throw new Refusal("Content-Length appears twice");
        this.#length = lengthOf(value);
        break;
      case "transfer-encoding":
        this.#codings.push(...listOf(value));
        break;
      case "host":
        if (++this.#hosts > 1) throw new Refusal("Host appears twice");
        break;
      case "user-agent":
        this.#agent = value;
        break;
      case "expect":
        this.#expects ||= value.toLowerCase() === "100-continue";
    }
  }

  body(): Body {
    const codings = this.#codings;
    if (codings.length === 0) return { bytes: this.#length ?? 0 };
    if (this.#length !== undefined) {
      throw new Refusal("Content-Length and Transfer-Encoding: use only one of them");
    }
    if (!this.#isLatest) throw new Refusal("HTTP/1.0 has no Transfer-Encoding");
    if (codings.indexOf("chunked") !== codings.length - 1) {
      throw new Refusal("Transfer-Encoding must end with chunked, and have it once");
    }
    if (codings.length > 1) {
      throw new Refusal("the only supported Transfer-Encoding is chunked", "501 Not Implemented");
    }
    return "chunked";
  }
}

function listOf(value: string): string[] {
  return value.toLowerCase().split(",").map(withoutSpace);
}

/** The value without spaces and tabs at its ends. `trim` would remove more, like a no-break space. */
function withoutSpace(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isSpace(value, start)) start++;
  while (end > start && isSpace(value, end - 1)) end--;
  return value.slice(start, end);
}

function isSpace(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code === 32 || code === 9;
}

function lengthOf(value: string): number {
  const length = /^\d+$/.test(value) ? Number(value) : NaN;
  if (!Number.isSafeInteger(length)) throw new Refusal("Content-Length must be a number of bytes");
  return length;
}
