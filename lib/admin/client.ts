import type { IncomingMessage, RequestOptions } from "node:http";
import { type Address, formatAddress, parseIp, UserError } from "../base/mod.ts";
import { systemCode, systemReason } from "../io/mod.ts";
import { EventStreamParser, type ServerSentEvent } from "../observe/mod.ts";

/** The longest time until an answer. It is long because a reload reads files. */
const ANSWER_MS = 30_000;

/** The address of an admin API, and the data for access to it. */
export interface Target {
  readonly listen: Address | { readonly path: string };
  /** The name of the API's machine, for the `Host` of requests. The API's certificate must contain this name. */
  readonly name: string;
  /** The certificates to trust, in PEM, if the API speaks TLS. */
  readonly trusted: readonly string[] | undefined;
  readonly token: string | undefined;
  /** The origin of the token, or why there is none, for the message when a request is refused. */
  readonly tokenSource: string;
}

/** The API has refused a request. The error has the status, and the reason in words. */
export class RequestRefused extends UserError {
  readonly status: number;

  constructor(status: number, message: string) {
    // 400 and 404: the request is wrong. Other statuses: it cannot be done now.
    super(message, { exitCode: status === 400 || status === 404 ? 2 : 1 });
    this.status = status;
  }
}

/** The API does not answer, or the answer is not from the API. */
export class Unreachable extends UserError {}

/**
 * A client of the admin API. It uses Node's HTTP client, which supports Unix sockets. Unlike `fetch`, this client
 * never uses the proxy of the environment, because only the balancer may get the token.
 */
export class AdminClient {
  /** Where the API is, in words. */
  readonly place: string;
  readonly #target: Target;
  readonly #signal: AbortSignal;
  readonly #role: "balancer" | "backend";

  /**
   * @param signal Ends every request when it is aborted.
   * @param role The role that has the API.
   */
  constructor(target: Target, signal: AbortSignal, role: "balancer" | "backend" = "balancer") {
    this.place = placeOf(target);
    this.#target = target;
    this.#signal = signal;
    this.#role = role;
  }

  /**
   * Sends one request.
   *
   * @returns The answer, which is JSON.
   * @param timeoutMs The longest wait for the answer.
   * @throws {RequestRefused} if the API refuses the request; {Unreachable} if the API does not answer.
   */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    timeoutMs = ANSWER_MS,
  ): Promise<unknown> {
    const response = await this.#send(method, path, timeoutMs, body);
    return this.#answerIn(response.statusCode ?? 0, await this.#textOf(response));
  }

  /**
   * The events of a stream, until the signal is aborted.
   *
   * @param opened Called when the stream has begun. The stream contains all events from then on.
   * @throws As `ask`; {Unreachable} when the server has closed the stream, or the connection has failed.
   */
  async *events(path: string, opened?: () => void): AsyncGenerator<ServerSentEvent> {
    const response = await this.#send("GET", path, undefined);
    if (response.statusCode !== 200) {
      this.#answerIn(response.statusCode ?? 0, await this.#textOf(response));
    }
    opened?.();
    const parser = new EventStreamParser();
    response.setEncoding("utf8");
    try {
      for await (const text of response) yield* parser.push(text as string);
    } catch {
      // The stream broke off: the signal was aborted, or the connection failed.
    }
    if (!this.#signal.aborted) {
      throw new Unreachable(`the ${this.#role} at ${this.place} has closed the stream of events`);
    }
  }

  async #send(
    method: string,
    path: string,
    timeoutMs: number | undefined,
    body?: unknown,
  ): Promise<IncomingMessage> {
    const { listen, name, trusted, token } = this.#target;
    const isTls = trusted !== undefined;
    const { request } = isTls ? await import("node:https") : await import("node:http");
    const text = body === undefined ? undefined : JSON.stringify(body);
    const host = "path" in listen ? name : formatAddress({ host: name, port: listen.port });
    const options: RequestOptions & { readonly ca?: string[]; readonly servername?: string } = {
      method,
      path,
      agent: false,
      signal: this.#signal,
      headers: {
        "Host": host,
        ...method !== "GET" && { "Content-Type": "application/json" },
        ...text !== undefined && { "Content-Length": new TextEncoder().encode(text).length },
        ...token !== undefined && { "Authorization": `Bearer ${token}` },
      },
      ..."path" in listen ? { socketPath: listen.path } : { host: listen.host, port: listen.port },
      ...isTls && { ca: [...trusted] },
      // An IP address cannot be a server name in TLS. Without a server name, the certificate is verified for `host`.
      ...isTls && parseIp(name) === undefined && { servername: name },
    };
    return await new Promise((resolve, reject) => {
      const sent = request(options);
      const timer = timeoutMs === undefined ? undefined : setTimeout(
        () => sent.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
      sent.once("close", () => clearTimeout(timer));
      sent.once("response", resolve);
      sent.on("error", (error) => {
        clearTimeout(timer);
        reject(this.#unreachable(error));
      });
      sent.end(text);
    });
  }

  #answerIn(status: number, text: string): unknown {
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch {
      throw new Unreachable(`the server at ${this.place} is not the admin API of lbsim`);
    }
    if (status === 200) return answer;
    throw new RequestRefused(status, this.#refusal(status, answer));
  }

  #refusal(status: number, answer: unknown): string {
    const { token, tokenSource } = this.#target;
    if (status === 401) {
      return token === undefined
        ? `the ${this.#role} requires its token for this, and ${tokenSource}`
        : `the ${this.#role} refuses the token in ${tokenSource}`;
    }
    const { error } = answer as { readonly error?: unknown };
    return typeof error === "string" ? error : `the ${this.#role} answers with status ${status}`;
  }

  async #textOf(response: IncomingMessage): Promise<string> {
    response.setEncoding("utf8");
    let text = "";
    try {
      for await (const part of response) text += part;
    } catch (error) {
      throw this.#unreachable(error);
    }
    return text;
  }

  #unreachable(error: unknown): Unreachable {
    const reason = REASONS[systemCode(error) ?? ""] ?? systemReason(error);
    return new Unreachable(`no ${this.#role} answers at ${this.place}: ${reason}`, {
      cause: error,
    });
  }
}

/** The place of an API, in words. */
export function placeOf({ listen }: Pick<Target, "listen">): string {
  return "path" in listen ? `unix:${listen.path}` : formatAddress(listen);
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOENT: "nothing listens there",
  ECONNRESET: "the connection was closed",
  EACCES: "this user may not connect to it",
  ETIMEDOUT: "the machine does not answer",
  EHOSTUNREACH: "the machine cannot be reached",
};
