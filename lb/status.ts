import type { Logger } from "@logtape/logtape";
import { timerDelay } from "../lib/io/mod.ts";
import type { BackendCondition } from "../lib/core/mod.ts";
import { aligned, type Nanoseconds } from "../lib/base/mod.ts";
import type { Snapshot } from "../lib/observe/mod.ts";
import { logSentence } from "../lib/cli/mod.ts";

/** The state of a backend in a few numbers. */
export interface BackendStatus {
  readonly backend: string;
  readonly state: BackendCondition;
  readonly in_flight: number;
  /** Connections that reached the backend since the start. */
  readonly connections: number;
  /** The backend's share of all connections since the start; 0 to 1. */
  readonly share: number;
  /** The last probe, if there was one. */
  readonly last_probe_ok?: boolean;
  readonly last_probe_ms?: number;
  readonly last_probe_ago_ms?: number;
  readonly last_probe_reason?: string;
}

/**
 * Logs the state of the backends at intervals, and the totals at the end. It reads snapshots and counts
 * nothing itself.
 */
export class StatusReporter {
  readonly #snapshot: () => Snapshot;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(snapshot: () => Snapshot) {
    this.#snapshot = snapshot;
  }

  /** Logs a line for each backend, and one for clients without a backend, at every interval until `stop`. */
  logEvery(interval: Nanoseconds, log: Logger): void {
    this.#timer = setInterval(() => {
      const snapshot = this.#snapshot();
      const statuses = backendStatuses(snapshot);
      const lines = statusLines(statuses);
      for (const [i, status] of statuses.entries()) {
        logSentence(log, "info", lines[i]!, { event: "status", ...status });
      }
      logOthers(snapshot, log);
    }, timerDelay(interval));
  }

  /** Logs the totals since the start: connections of each backend, and refusals. */
  logTotals(log: Logger): void {
    const snapshot = this.#snapshot();
    const { backends, connections: { opened: connections } } = snapshot;
    const byBackend = Object.fromEntries(backends.map((one) => [one.id, one.opened]));
    const shares = backends.map((one) => `${one.id} ${one.opened}`).join(", ");
    const refused = refusedOf(snapshot);
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
  }
}

/** The state of every backend. */
export function backendStatuses({ at_ms, backends }: Snapshot): BackendStatus[] {
  return backends.map(({ id, condition, in_flight, opened, share, health: { last_probe } }) => ({
    backend: id,
    state: condition,
    in_flight,
    connections: opened,
    share,
    ...last_probe !== null && {
      last_probe_ok: last_probe.ok,
      last_probe_ms: last_probe.duration_ms,
      last_probe_ago_ms: at_ms - last_probe.at_ms,
      ...!last_probe.ok && { last_probe_reason: last_probe.text },
    },
  }));
}

/** Logs the clients that wait and those that were refused; nothing if there are none. */
function logOthers(snapshot: Snapshot, log: Logger): void {
  const { waiting } = snapshot.queue;
  const refused = refusedOf(snapshot);
  const reasons = Object.entries(refused);
  const parts = [
    ...waiting === 0 ? [] : [`${waiting} waiting because every backend is full`],
    ...reasons.length === 0 ? [] : [
      `refused since the start: ${
        reasons.map(([reason, count]) => `${count} ${reason}`).join(", ")
      }`,
    ],
  ];
  if (parts.length === 0) return;
  logSentence(log, "info", parts.join("; "), { event: "status", waiting, refused });
}

/**
 * The number of refused clients, by reason. Clients that sent nothing are left out: they are probes, which come again
 * and again.
 */
function refusedOf({ connections: { refused_by_reason } }: Snapshot): Record<string, number> {
  const { sent_nothing: _, ...refused } = refused_by_reason;
  return refused;
}

/** A line for each backend, in aligned columns. */
function statusLines(statuses: readonly BackendStatus[]): string[] {
  return aligned(statuses.map((status) => [
    status.backend,
    status.state.padEnd(5),
    `${status.in_flight} in flight`,
    `${status.connections} total`,
    `${(status.share * 100).toFixed(1)} %`,
  ])).map((line, i) => `${line}  ${probeText(statuses[i]!)}`);
}

function probeText(status: BackendStatus): string {
  const { last_probe_ok, last_probe_ms = 0, last_probe_ago_ms = 0, last_probe_reason } = status;
  if (last_probe_ok === undefined) return "not probed";
  const result = last_probe_ok ? `${last_probe_ms.toFixed(1)} ms` : last_probe_reason;
  return `probe ${result}, ${(last_probe_ago_ms / 1000).toFixed(1)} s ago`;
}
