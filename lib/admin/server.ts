import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { formatAddress, UserError } from "../base/mod.ts";
import { systemReason } from "../io/mod.ts";
import {
  type AccessRules,
  isChange,
  presentedToken,
  refusalOf,
  type RequestHead,
  typedToken,
  wantsPage,
} from "./access.ts";
import { StreamReader } from "./stream.ts";
import type { Token } from "./token.ts";

/** A client must send the headers, and the whole request, within these times. */
const HEADERS_MS = 5_000;
const REQUEST_MS = 10_000;
const KEEP_ALIVE_MS = 5_000;
/** A client must read an answer within this time, unless the answer is a stream. */
const ANSWER_MS = 30_000;
const HEADER_BYTES_MAX = 8 * 1024;
const BODY_BYTES_MAX = 64 * 1024;
const CONNECTIONS_MAX = 64;
/** The largest number of readers of streams. The other connections are left for other requests. */
const READERS_MAX = 32;

/** A request that has passed the access rules. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
  readonly lastEventId: string | undefined;
}

/** An answer: a text, or the start of a stream. */
export interface ApiAnswer {
  readonly status: number;
  readonly type?: string;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly stream?: (reader: StreamReader) => void;
}

/** Answers requests that have passed the access rules. */
export type Api = (request: ApiRequest) => ApiAnswer | Promise<ApiAnswer>;

/** The parts and settings of the server. */
export interface AdminServerOptions {
  /** The server's name in messages; `the admin API` if left out. */
  readonly name?: string;
  readonly listen: { readonly host: string; readonly port: number } | { readonly path: string };
  readonly access: AccessRules;
  /** Undefined if the API refuses all changes. */
  readonly token: Token | undefined;
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined;
  readonly api: Api;
}

/** The port of a server is in use. */
export class PortInUse extends UserError {}

/** Headers of every answer. With them, a page of another site cannot read the answer or show it in a frame. */
const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

/**
 * The HTTP server of an admin API, or of a page. It uses Node's server, because `Deno.serve` waits for a request's
 * headers without a limit. Node's server limits the time and size of headers and bodies, and the number of
 * connections.
 */
export class AdminServer {
  /** The server's address: `http://127.0.0.1:9900`, or `unix:/path`. */
  readonly url: string;
  readonly #server: Server;
  readonly #options: AdminServerOptions;
  #readers = 0;

  /** @throws {UserError} if the server cannot listen. */
  static async start(options: AdminServerOptions): Promise<AdminServer> {
    const settings = {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 500,
      maxHeaderSize: HEADER_BYTES_MAX,
    };
    // Loaded only if there is an admin API: loading it takes longer than the rest of a balancer's start.
    const { tls } = options;
    const server: Server = tls === undefined
      ? (await import("node:http")).createServer(settings)
      : (await import("node:https")).createServer({
        ...settings,
        cert: tls.certificate,
        key: tls.key,
      }) as unknown as Server;
    server.maxConnections = CONNECTIONS_MAX;
    const { listen, name = "the admin API" } = options;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(listenFailure(error, listen, name)));
      server.listen("path" in listen ? listen : { host: listen.host, port: listen.port }, resolve);
    });
    // As with the token file, only the user of this process has access.
    if ("path" in listen) await Deno.chmod(listen.path, 0o600);
    server.removeAllListeners("error");
    server.on("error", () => {}); // A connection failed before its first request.
    return new AdminServer(server, options);
  }

  private constructor(server: Server, options: AdminServerOptions) {
    this.#server = server;
    this.#options = options;
    const bound = server.address();
    this.url = bound === null || typeof bound === "string"
      ? `unix:${bound}`
      : `${options.access.scheme}://${formatAddress({ host: bound.address, port: bound.port })}`;
    server.on("request", (request, response) => void this.#serve(request, response));
    server.on("clientError", (error: Error & { readonly code?: string }, socket) => {
      const status = CLIENT_ERRORS[error.code ?? ""] ?? "400 Bad Request";
      if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
      else socket.destroy();
    });
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {}); // The client has gone.
    request.on("error", () => {});
    try {
      const answer = await this.#answer(request);
      this.#send(request, response, answer);
    } catch (error) {
      if (response.destroyed) return;
      this.#send(request, response, failure(500, `a defect of lbsim: ${error}`));
    }
  }

  async #answer(request: IncomingMessage): Promise<ApiAnswer> {
    const { method = "", url = "", rawHeaders } = request;
    const refusal = refusalOf({ method, rawHeaders }, this.#options.access) ??
      await this.#withoutToken({ method, rawHeaders });
    if (refusal !== undefined) {
      const challenge = wantsPage({ method, rawHeaders }) ? 'Basic realm="lbsim"' : "Bearer";
      const headers = refusal.status === 401
        ? { "WWW-Authenticate": challenge }
        : refusal.status === 405
        ? { "Allow": "GET, HEAD" }
        : {};
      return { ...failure(refusal.status, refusal.error), headers: { ...headers, ...CLOSE } };
    }
    if (!url.startsWith("/")) return failure(400, "the request's target must be a path");
    const body = await bodyOf(request);
    if (body === undefined) {
      const error = `a body has at most ${BODY_BYTES_MAX} bytes`;
      return { ...failure(413, error), headers: CLOSE };
    }
    const [path = "", ...query] = url.split("?");
    const lastEventId = request.headers["last-event-id"];
    return await this.#options.api({
      method,
      path,
      query: new URLSearchParams(query.join("?")),
      body,
      lastEventId: typeof lastEventId === "string" ? lastEventId : undefined,
    });
  }

  /** The reason to refuse a request without a valid token; undefined if it has one or needs none. */
  async #withoutToken({ method, rawHeaders }: RequestHead) {
    const { access, token } = this.#options;
    if (access.isLocal && !isChange(method)) return undefined;
    if (token === undefined) {
      const error = "this API makes no changes: the configuration has no admin.token_file";
      return { status: 403, error } as const;
    }
    const presented = presentedToken(rawHeaders) ??
      (isChange(method) ? undefined : typedToken(rawHeaders));
    if (presented !== undefined && await token.matches(presented)) return undefined;
    return { status: 401, error: "this needs the token: Authorization: Bearer …" } as const;
  }

  #send(request: IncomingMessage, response: ServerResponse, answer: ApiAnswer): void {
    if (response.destroyed) return;
    const { status, type = "application/json", text = "", headers = {}, stream } = answer;
    if (stream === undefined) {
      const timer = setTimeout(() => response.destroy(), ANSWER_MS);
      response.once("close", () => clearTimeout(timer));
      const bytes = new TextEncoder().encode(text);
      response.writeHead(status, {
        ...HEADERS,
        "Content-Type": type,
        "Content-Length": bytes.length,
        ...headers,
      });
      response.end(request.method === "HEAD" ? undefined : bytes);
      return;
    }
    if (this.#readers >= READERS_MAX) {
      const error = `there are ${READERS_MAX} readers already`;
      return this.#send(request, response, { ...failure(503, error), headers: CLOSE });
    }
    this.#readers++;
    response.once("close", () => this.#readers--);
    response.writeHead(200, { ...HEADERS, "Content-Type": "text/event-stream", ...headers });
    stream(new StreamReader(response));
  }
}

const CLOSE = { "Connection": "close" };

const CLIENT_ERRORS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
};

/** An answer with an error message. */
export function failure(status: number, error: string): ApiAnswer {
  return { status, text: `${JSON.stringify({ error })}\n` };
}

/** The body; undefined if it is too long. */
function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let length = 0;
    request.on("data", (part: Uint8Array) => {
      length += part.length;
      if (length <= BODY_BYTES_MAX) parts.push(part);
      else resolve(undefined);
    });
    request.once("end", () => resolve(new TextDecoder().decode(joined(parts, length))));
    request.once("close", () => reject(new Error("the client has gone")));
  });
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

function listenFailure(
  error: Error,
  listen: AdminServerOptions["listen"],
  name: string,
): UserError {
  const where = "path" in listen ? `unix:${listen.path}` : formatAddress(listen);
  const { code } = error as Error & { readonly code?: string };
  if (code === "EADDRINUSE" || error instanceof Deno.errors.AddrInUse) {
    return new PortInUse(`${name} cannot listen on ${where}: it is in use`, { cause: error });
  }
  return new UserError(`${name} cannot listen on ${where}: ${systemReason(error)}`, {
    cause: error,
  });
}
