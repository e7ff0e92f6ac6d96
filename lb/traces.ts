import type { Context, Span, SpanStatusCode, Tracer } from "@opentelemetry/api";
import { type Address, VERSION } from "../lib/base/mod.ts";
import type { EventOf, EventStream, EventType } from "../lib/core/mod.ts";
import type { Balancer } from "./balancer.ts";

type TracedBalancer = Pick<Balancer, "address" | "scheduler">;
type Api = typeof import("@opentelemetry/api");

/**
 * The property in which Deno registers its OpenTelemetry for `@opentelemetry/api`, if environment variables of Deno
 * switch traces on.
 */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

/**
 * Makes a trace of each connection, if environment variables of Deno ask for traces (`OTEL_DENO=true`). Otherwise it
 * loads nothing and returns undefined, and no event is created for traces. Deno itself sends the spans, and needs no
 * permission.
 *
 * Call it before the first event.
 */
export async function tracesOf(events: EventStream): Promise<ConnectionTraces | undefined> {
  const { [REGISTERED]: registered } = globalThis as {
    readonly [REGISTERED]?: { readonly trace?: unknown };
  };
  if (registered?.trace === undefined) return undefined;
  return new ConnectionTraces(events, await import("@opentelemetry/api"));
}

/** A connection that has not ended. */
interface OpenTrace {
  readonly span: Span;
  /** The span as the parent of others. */
  readonly context: Context;
  /**
   * The present phase; undefined during a connect to a backend, because only the end of a connect is an event. This
   * event contains its duration.
   */
  phase: "accept" | "queue" | "relay" | undefined;
  /** When this phase began, in milliseconds since the start of the run. */
  since: number;
}

type Attributes = Record<string, string | number>;

/** The type of an error, as a span names it; undefined if there was none. */
type ErrorType = string | undefined;

/** The ends of a connection that its backend causes. */
const BACKEND_FAULTS: readonly EventOf<"connection_closed">["end"][] = [
  "backend_aborted",
  "backend_down",
];

/**
 * One trace for each connection: a span from its arrival to its end, with a child for each phase: `accept` (with the
 * PROXY header and the TLS handshake), `queue`, `dial` (one for each attempt) and `relay`. All times are those of the
 * events. Attributes that OpenTelemetry's semantic conventions define have these names; the others begin with
 * `lbsim.`.
 */
export class ConnectionTraces {
  readonly #api: Api;
  readonly #tracer: Tracer;
  readonly #unsubscribe: readonly (() => void)[];
  /** The open traces, by the number of the connection. A connection that is not sampled has none. */
  readonly #open = new Map<number, OpenTrace>();
  #epochMs = 0;
  #balancer: TracedBalancer | undefined;

  constructor(events: EventStream, api: Api) {
    this.#api = api;
    this.#tracer = api.trace.getTracer("lbsim", VERSION);
    const on = <Type extends EventType>(type: Type, read: (event: EventOf<Type>) => void) =>
      events.subscribe("traces", [type], read);
    this.#unsubscribe = [
      on("run_started", ({ epoch_ms }) => {
        this.#epochMs = epoch_ms;
      }),
      on("connection_arrived", (event) => this.#arrived(event)),
      on("connection_queued", ({ connection, at_ms }) => {
        this.#next(connection, "queue", at_ms);
      }),
      on("connection_dequeued", ({ connection, at_ms }) => {
        this.#next(connection, undefined, at_ms);
      }),
      on("connect_failed", (event) => this.#dialed(event, event.reason)),
      on("connection_opened", (event) => this.#opened(event)),
      on("connection_closed", (event) => this.#closed(event)),
      on("connection_refused", (event) => this.#refused(event)),
      on("connection_left", (event) => this.#left(event)),
    ];
  }

  /** Gives spans the addresses of this balancer and its backends from now on. */
  start(balancer: TracedBalancer): void {
    this.#balancer = balancer;
  }

  /** Creates no more spans. */
  stop(): void {
    this.#unsubscribe.forEach((end) => end());
  }

  #arrived({ connection, at_ms }: EventOf<"connection_arrived">): void {
    const { SpanKind, TraceFlags, ROOT_CONTEXT, trace } = this.#api;
    const span = this.#tracer.startSpan("connection", {
      root: true,
      kind: SpanKind.SERVER,
      startTime: this.#epochMs + at_ms,
    });
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    const context = trace.setSpan(ROOT_CONTEXT, span);
    this.#open.set(connection, { span, context, phase: "accept", since: at_ms });
  }

  /** An attempt to connect has ended. */
  #dialed(
    event: EventOf<"connect_failed"> | EventOf<"connection_opened">,
    error?: ErrorType,
  ): void {
    const { connection, at_ms, connect_ms, backend, attempt } = event;
    const pickedAt = at_ms - connect_ms;
    const trace = this.#next(connection, undefined, pickedAt);
    if (trace === undefined) return;
    this.#child(trace, "dial", at_ms, {
      ...this.#serverAttributes(this.#balancer?.scheduler.backend(backend)?.address),
      "lbsim.backend": backend,
      "lbsim.attempt": attempt,
    }, error);
  }

  #opened(event: EventOf<"connection_opened">): void {
    this.#dialed(event);
    this.#next(event.connection, "relay", event.at_ms);
  }

  #closed(event: EventOf<"connection_closed">): void {
    const { connection, at_ms, end, backend, bytes_to_backend, bytes_to_client } = event;
    const trace = this.#open.get(connection);
    if (trace === undefined) return;
    const error = BACKEND_FAULTS.includes(end) ? end : undefined;
    const attributes = {
      "lbsim.backend": backend,
      "lbsim.bytes_to_backend": bytes_to_backend,
      "lbsim.bytes_to_client": bytes_to_client,
    };
    this.#endPhase(trace, at_ms, attributes, error);
    this.#end(trace, event, { ...attributes, "lbsim.outcome": end }, error);
  }

  #refused(event: EventOf<"connection_refused">): void {
    const { connection, at_ms, reason, detail, attempts } = event;
    const trace = this.#open.get(connection);
    if (trace === undefined) return;
    this.#endPhase(trace, at_ms, {}, reason);
    this.#end(trace, event, {
      "lbsim.outcome": "refused",
      "lbsim.attempts": attempts,
      ...detail !== undefined && { "lbsim.detail": detail },
    }, reason);
  }

  #left(event: EventOf<"connection_left">): void {
    const trace = this.#open.get(event.connection);
    if (trace === undefined) return;
    this.#endPhase(trace, event.at_ms);
    this.#end(trace, event, { "lbsim.outcome": "left", "lbsim.attempts": event.attempts });
  }

  /** Ends the present phase and begins the next one. */
  #next(connection: number, phase: OpenTrace["phase"], at_ms: number): OpenTrace | undefined {
    const trace = this.#open.get(connection);
    if (trace === undefined) return undefined;
    this.#endPhase(trace, at_ms);
    trace.phase = phase;
    trace.since = at_ms;
    return trace;
  }

  #endPhase(trace: OpenTrace, at_ms: number, attributes: Attributes = {}, error?: ErrorType): void {
    if (trace.phase !== undefined) this.#child(trace, trace.phase, at_ms, attributes, error);
  }

  /** Makes the span of a part of the connection that has just ended. */
  #child(
    { context, since }: OpenTrace,
    name: string,
    at_ms: number,
    attributes: Attributes,
    error: ErrorType,
  ): void {
    const { CLIENT, INTERNAL } = this.#api.SpanKind;
    const kind = name === "dial" ? CLIENT : INTERNAL;
    const startTime = this.#epochMs + since;
    const span = this.#tracer.startSpan(name, { kind, startTime, attributes }, context);
    this.#finish(span, at_ms, error);
  }

  #end(
    { span }: OpenTrace,
    { connection, client, at_ms }: { connection: number; client: string; at_ms: number },
    attributes: Attributes,
    error?: ErrorType,
  ): void {
    this.#open.delete(connection);
    span.setAttributes({
      "client.address": client,
      ...this.#serverAttributes(this.#balancer?.address),
      "lbsim.connection": connection,
      ...attributes,
    });
    this.#finish(span, at_ms, error);
  }

  #finish(span: Span, at_ms: number, error: ErrorType): void {
    if (error !== undefined) {
      span.setAttribute("error.type", error);
      span.setStatus({ code: this.#api.SpanStatusCode.ERROR satisfies SpanStatusCode });
    }
    span.end(this.#epochMs + at_ms);
  }

  #serverAttributes(address: Address | undefined): Attributes {
    return {
      "network.transport": "tcp",
      ...address !== undefined && {
        "server.address": address.host,
        "server.port": address.port,
      },
    };
  }
}
