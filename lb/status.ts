import type { Logger } from "@logtape/logtape";
import { type Clock, timerDelay } from "../lib/io/mod.ts";
import {
  type BackendCondition,
  conditionOf,
  type EventOf,
  type EventStream,
  type RefusalReason,
  type Scheduler,
} from "../lib/core/mod.ts";
import { type Nanoseconds, NS_PER_MS } from "../lib/base/mod.ts";
import { logSentence } from "../lib/cli/mod.ts";

/** A backend at a glance. */
export interface BackendStatus {
  readonly backend: string;
  readonly state: BackendCondition;
  readonly in_flight: number;
  /** Connections that reached it since the start. */
  readonly connections: number;
  /** Its part of all connections since the start; 0 to 1. */
  readonly share: number;
  /** The last probe, if there was one. */
  readonly last_probe_ok?: boolean;
  readonly last_probe_ms?: number;
  readonly last_probe_ago_ms?: number;
  readonly last_probe_reason?: string;
}

/** Keeps what the status lines tell, and tells it every so often. */
export class StatusReporter {
  readonly #scheduler: Scheduler;
  readonly #now: Clock;
  readonly #lastProbe = new Map<string, EventOf<"probe">>();
  /** Clients that were refused since the start, by the reason. */
  readonly #refused = new Map<RefusalReason, number>();
  readonly #unsubscribe: readonly (() => void)[];
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(scheduler: Scheduler, events: EventStream, now: Clock) {
    this.#scheduler = scheduler;
    this.#now = now;
    this.#unsubscribe = [
      events.subscribe("status", ["probe"], (event) => this.#lastProbe.set(event.backend, event)),
      events.subscribe(
        "status",
        ["connection_refused"],
        ({ reason }) => {
          if (reason === "sent_nothing") return; // Probes, for ever.
          this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
        },
      ),
    ];
  }

  /** The state of every backend. */
  status(): BackendStatus[] {
    const { backends } = this.#scheduler;
    const total = backends.reduce((sum, backend) => sum + backend.connections, 0);
    return backends.map((backend) => {
      const probe = this.#lastProbe.get(backend.id);
      return {
        backend: backend.id,
        state: conditionOf(backend),
        in_flight: backend.inFlight,
        connections: backend.connections,
        share: total === 0 ? 0 : backend.connections / total,
        ...probe && {
          last_probe_ok: probe.ok,
          last_probe_ms: probe.probe_ms,
          last_probe_ago_ms: this.#now() / NS_PER_MS - probe.at_ms,
          ...probe.reason !== undefined && { last_probe_reason: probe.reason },
        },
      };
    });
  }

  /** Logs a line per backend, and one on clients that are on none, at every interval until `stop`. */
  logEvery(interval: Nanoseconds, log: Logger): void {
    this.#timer = setInterval(() => {
      for (const status of this.status()) {
        logSentence(log, "info", statusLine(status), { event: "status", ...status });
      }
      this.#logOthers(log);
    }, timerDelay(interval));
  }

  /** Those who wait, and those who were turned away; nothing if there is nobody. */
  #logOthers(log: Logger): void {
    const { waiting } = this.#scheduler;
    const refused = Object.fromEntries(this.#refused);
    const parts = [
      ...waiting === 0 ? [] : [`${waiting} waiting for a backend to have room`],
      ...this.#refused.size === 0 ? [] : [
        `refused since the start: ${
          Object.entries(refused).map(([reason, count]) => `${count} ${reason}`).join(", ")
        }`,
      ],
    ];
    if (parts.length === 0) return;
    logSentence(log, "info", parts.join("; "), { event: "status", waiting, refused });
  }

  /** Logs what there was since the start: connections of each backend, and refusals. */
  logTotals(log: Logger): void {
    const { backends } = this.#scheduler;
    const connections = backends.reduce((sum, backend) => sum + backend.connections, 0);
    const byBackend = Object.fromEntries(backends.map((one) => [one.id, one.connections]));
    const shares = backends.map((one) => `${one.id} ${one.connections}`).join(", ");
    const refused = Object.fromEntries(this.#refused);
    const sentence = [
      `totals: ${connections} connection${connections === 1 ? "" : "s"} (${shares})`,
      ...Object.entries(refused).map(([reason, count]) => `${count} refused: ${reason}`),
    ].join("; ");
    logSentence(log, "info", sentence, {
      event: "totals",
      connections,
      connections_by_backend: byBackend,
      refused,
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#unsubscribe.forEach((end) => end());
  }
}

function statusLine(status: BackendStatus): string {
  return [
    status.backend.padEnd(4),
    status.state.padEnd(5),
    `${String(status.in_flight).padStart(5)} in flight`,
    `${String(status.connections).padStart(8)} total`,
    `${(status.share * 100).toFixed(1).padStart(5)} %`,
    probeText(status),
  ].join("  ");
}

function probeText(status: BackendStatus): string {
  const { last_probe_ok, last_probe_ms = 0, last_probe_ago_ms = 0, last_probe_reason } = status;
  if (last_probe_ok === undefined) return "not probed";
  const result = last_probe_ok ? `ok in ${last_probe_ms.toFixed(1)} ms` : last_probe_reason;
  return `probe ${result}, ${(last_probe_ago_ms / 1000).toFixed(1)} s ago`;
}
