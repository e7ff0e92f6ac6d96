/** The server of the playground: files from memory, on loopback, to browsers of this machine only. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { UserError } from "../lib/base/mod.ts";
import { systemReason } from "../lib/io/mod.ts";
import { type Asset, PLAYGROUND_POLICY, playgroundAsset } from "../web/mod.ts";

const HOST = "127.0.0.1";

/** A browser must send a request within this time. */
const REQUEST_MS = 10_000;
const CONNECTIONS_MAX = 64;

/** Headers of every answer. With them, a browser lets no page of another site read it or show it in a frame. */
const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": PLAYGROUND_POLICY,
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

/** Serves the playground until it is stopped. */
export class PlayServer {
  /** Its address: `http://127.0.0.1:8900/`. */
  readonly url: string;
  readonly #server: Server;
  readonly #given: string | undefined;

  /**
   * @param port 0 for any.
   * @param given What the page gets at `given.json`; undefined if it has none.
   * @throws {UserError} if it cannot listen.
   */
  static async start(port: number, given: string | undefined): Promise<PlayServer> {
    const { createServer } = await import("node:http");
    const server: Server = createServer({
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      maxHeaderSize: 8 * 1024,
    });
    server.maxConnections = CONNECTIONS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => {
        reject(
          new UserError(
            `the playground cannot listen on ${HOST}:${port}: ${systemReason(error)}`,
            { hint: "--port names another port; 0 takes any that is free", cause: error },
          ),
        );
      });
      server.listen({ host: HOST, port }, resolve);
    });
    server.removeAllListeners("error");
    server.on("error", () => {}); // A connection failed before its first request.
    return new PlayServer(server, given);
  }

  private constructor(server: Server, given: string | undefined) {
    this.#server = server;
    this.#given = given;
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("the server has no address");
    this.url = `http://${HOST}:${bound.port}/`;
    server.on("request", (request, response) => void this.#serve(request, response));
    server.on("clientError", (_error, socket) => socket.destroy());
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {}); // The browser has gone.
    request.on("error", () => {});
    request.resume();
    const { status, headers = {}, asset } = await this.#answer(request);
    const bytes = new TextEncoder().encode(asset.body);
    response.writeHead(status, {
      ...HEADERS,
      "Content-Type": asset.type,
      "Content-Length": bytes.length,
      ...headers,
    });
    response.end(request.method === "HEAD" ? undefined : bytes);
  }

  async #answer({ method = "", url = "", headers }: IncomingMessage): Promise<Answer> {
    // A page of another site must not reach this server by a host name that leads here.
    const name = (headers.host ?? "").toLowerCase().replace(/:\d*$/, "");
    if (name !== HOST && name !== "localhost") {
      return failure(421, `this host is not served here: open ${this.url}`);
    }
    if (method !== "GET" && method !== "HEAD") {
      return {
        ...failure(405, "only GET is possible here"),
        headers: { "Allow": "GET, HEAD", "Connection": "close" },
      };
    }
    const [path = ""] = url.split("?");
    const file = path.startsWith("/") ? path.slice(1) : path;
    if (file === "given.json" && this.#given !== undefined) {
      return { status: 200, asset: { type: "application/json", body: this.#given } };
    }
    const asset = await playgroundAsset(file);
    return asset === undefined
      ? failure(404, "there is nothing at this path")
      : { status: 200, asset };
  }
}

interface Answer {
  readonly status: number;
  readonly asset: Asset;
  readonly headers?: Readonly<Record<string, string>>;
}

function failure(status: number, words: string): Answer {
  return { status, asset: { type: "text/plain; charset=utf-8", body: `${words}\n` } };
}
