import type { BackendMode, LbEvent } from "../../lib/core/mod.ts";
import { decodeFrame } from "../../lib/observe/frame.ts";
import { EventStreamParser, type ServerSentEvent } from "../../lib/observe/event_stream.ts";
import type {
  ExplainedPick,
  Fault,
  FrameSource,
  Operator,
  SessionPage,
  SourceReader,
} from "./source.ts";

const STATUS_MS = 1000;
/** Ten frames per second arrive. After this time without a frame, the connection counts as lost. */
const SILENCE_MS = 5000;
const RETRY_MS = 500;
const RETRY_MS_MAX = 4000;

/** The balancer answered a request with an error. */
class RequestFailed extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Reads frames from the admin API of the balancer that serves this page. It connects again after each failure. */
export class LiveSource implements FrameSource, Operator {
  readonly operator = this;
  readonly #base: string;
  /** The token, which is kept in memory only. */
  #token = "";
  #lastEventId = "";
  /** Ends the wait for the next status or for the next attempt to connect. */
  #hurry: () => void = () => {};

  /** @param base The text before each path; empty for the server of this page. */
  constructor(base = "") {
    this.#base = base;
  }

  get needsToken(): boolean {
    return this.#token === "";
  }

  useToken(token: string): void {
    this.#token = token;
    this.#hurry();
  }

  start(reader: SourceReader): () => void {
    const ending = new AbortController();
    void this.#keepReading(reader, ending.signal);
    return () => ending.abort();
  }

  async #keepReading(reader: SourceReader, signal: AbortSignal): Promise<void> {
    let wait = RETRY_MS;
    reader.link({ kind: "connecting" });
    while (!signal.aborted) {
      try {
        await this.#read(reader, signal, () => wait = RETRY_MS);
      } catch (error) {
        if (signal.aborted) return;
        const needsToken = error instanceof RequestFailed && error.status === 401;
        reader.link(
          needsToken ? { kind: "token needed" } : { kind: "lost", reason: wordsOf(error) },
        );
      }
      await this.#wait(wait, signal);
      wait = Math.min(2 * wait, RETRY_MS_MAX);
    }
  }

  /** Reads until something fails. */
  async #read(reader: SourceReader, outer: AbortSignal, connected: () => void): Promise<void> {
    const ending = new AbortController();
    const signal = AbortSignal.any([outer, ending.signal]);
    let heardAt = performance.now();
    const watch = setInterval(() => {
      if (performance.now() - heardAt > SILENCE_MS) ending.abort(new Error("no frame arrives"));
    }, 1000);
    try {
      const first = AbortSignal.any([signal, AbortSignal.timeout(SILENCE_MS)]);
      reader.snapshot(await this.#get("/api/status", first));
      await Promise.race([
        this.#stream("/api/frames", signal, ({ event, data }) => {
          heardAt = performance.now();
          if (event !== "frame") return;
          reader.frame(decodeFrame(data));
          connected();
          reader.link({ kind: "connected" });
        }),
        this.#stream("/api/events", signal, ({ event, data, id }) => {
          if (id !== "") this.#lastEventId = id;
          if (event === "lost") reader.lost(JSON.parse(data).missed);
          else reader.event(JSON.parse(data) as LbEvent);
        }),
        this.#poll(reader, signal),
      ]);
    } finally {
      clearInterval(watch);
      ending.abort();
    }
  }

  async #poll(reader: SourceReader, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#wait(STATUS_MS, signal);
      if (!signal.aborted) reader.snapshot(await this.#get("/api/status", signal));
    }
  }

  async #stream(
    path: string,
    signal: AbortSignal,
    read: (event: ServerSentEvent) => void,
  ): Promise<void> {
    const headers = path === "/api/events" && this.#lastEventId !== ""
      ? { "Last-Event-ID": this.#lastEventId }
      : {};
    const { body } = await this.#fetch("GET", path, { signal, headers });
    if (body === null) throw new Error("an empty answer");
    const parser = new EventStreamParser();
    const texts = body.pipeThrough(new TextDecoderStream()).getReader();
    while (true) {
      const { done, value } = await texts.read();
      if (done) throw new Error("the balancer closed the connection");
      parser.push(value).forEach(read);
    }
  }

  async sessions(limit: number, client?: string): Promise<SessionPage> {
    const query = new URLSearchParams({ limit: String(limit), ...client && { client } });
    return await this.#get(`/api/sessions?${query}`);
  }

  async explain(client: string): Promise<ExplainedPick> {
    return await (await this.#fetch("POST", "/api/explain", { body: { client } })).json();
  }

  async setState(backend: string, state: BackendMode): Promise<void> {
    await this.#change("PUT", `${pathOf(backend)}/state`, { state });
  }

  async setWeight(backend: string, weight: number): Promise<void> {
    await this.#change("PUT", `${pathOf(backend)}/weight`, { weight });
  }

  async setAlgorithm(algorithm: string): Promise<void> {
    await this.#change("PUT", "/api/algorithm", { algorithm });
  }

  async withdraw(backend?: string): Promise<void> {
    if (backend === undefined) return await this.#change("DELETE", "/api/wishes");
    await this.#change("DELETE", `${pathOf(backend)}/state`);
    await this.#change("DELETE", `${pathOf(backend)}/weight`);
  }

  async endSession(client: string): Promise<void> {
    await this.#change("DELETE", `/api/sessions/${encodeURIComponent(client)}`);
  }

  async hurt(backend: string, { kind, duration_s }: Fault): Promise<void> {
    await this.#change("PUT", `${pathOf(backend)}/fault`, { kind, for: `${duration_s}s` });
  }

  async endFaults(backend: string): Promise<void> {
    await this.#change("DELETE", `${pathOf(backend)}/fault`);
  }

  async #change(method: string, path: string, body?: unknown): Promise<void> {
    await (await this.#fetch(method, path, { body })).text();
    this.#hurry();
  }

  async #get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return await (await this.#fetch("GET", path, { signal })).json();
  }

  /** @throws {RequestFailed} with the message of the balancer. */
  async #fetch(
    method: string,
    path: string,
    { signal, headers, body }: {
      readonly signal?: AbortSignal | undefined;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: unknown;
    },
  ): Promise<Response> {
    const response = await fetch(this.#base + path, {
      method,
      cache: "no-store",
      headers: {
        ...headers,
        ...this.#token !== "" && { "Authorization": `Bearer ${this.#token}` },
        ...method !== "GET" && { "Content-Type": "application/json" },
      },
      ...signal !== undefined && { signal },
      ...body !== undefined && { body: JSON.stringify(body) },
    });
    if (response.ok) return response;
    const text = await response.text();
    throw new RequestFailed(response.status, errorIn(text) ?? `status ${response.status}`);
  }

  #wait(duration: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, duration);
      signal.addEventListener("abort", end);
      this.#hurry = end;
    });
  }
}

function pathOf(backend: string): string {
  return `/api/backends/${encodeURIComponent(backend)}`;
}

function errorIn(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text);
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}

/** The words for an error. Browsers do not give the reason for a failed connect. */
function wordsOf(error: unknown): string {
  if (error instanceof TypeError) return "the balancer does not answer";
  return error instanceof Error ? error.message : String(error);
}
