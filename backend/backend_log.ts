/** The log of a backend: each request at debug, and its totals when it stops. */
import { escapedJson, formatAddress, formatDuration, NS_PER_MS } from "../lib/base/mod.ts";
import { logger, logSentence } from "../lib/cli/mod.ts";
import { faultWords } from "../lib/fault/mod.ts";
import type { FaultChange } from "./faults.ts";
import type { JobsChange } from "./jobs.ts";
import type { BackendTotals, Behaviour } from "./server.ts";

/** Logs each request at debug; undefined at other levels, so that a request costs no additional time. */
export function requestLogger(id: string, level: string): Behaviour["onRequest"] {
  if (level !== "debug") return undefined;
  const log = logger("backend");
  return ({ client, line, took, failed }) => {
    const ms = took / NS_PER_MS;
    const from = formatAddress(client);
    logSentence(
      log,
      "debug",
      failed
        ? `${id} let the request ${escapedJson(line)} from ${from} fail after ${ms.toFixed(1)} ms`
        : `${id} answered ${escapedJson(line)} from ${from} in ${ms.toFixed(1)} ms`,
      { event: "request", backend: id, client: from, line, ms, failed },
    );
  };
}

/** Logs when a fault of a backend begins and ends. */
export function faultLogger(id: string): (change: FaultChange) => void {
  const log = logger("backend");
  return ({ type, fault: { fault, since, until } }) => {
    const words = faultWords(fault);
    if (type === "ended") {
      const properties = { event: "fault_ended", backend: id, fault: words };
      return logSentence(log, "info", `${id}: fault ${words} ends`, properties);
    }
    const duration = until - since;
    const lasts = duration === Infinity ? "until it is ended" : `for ${formatDuration(duration)}`;
    logSentence(log, "warning", `${id}: fault ${words} begins, ${lasts}`, {
      event: "fault_began",
      backend: id,
      fault: words,
      for_ms: duration === Infinity ? null : duration / NS_PER_MS,
    });
  };
}

/** Logs when a backend begins to serve a scenario, and when it stops. */
export function jobsLogger(id: string): (change: JobsChange) => void {
  const log = logger("backend");
  return (change) => {
    const event = `service_${change}`;
    logSentence(log, "info", `${id} ${JOBS_IN_WORDS[change]}`, { event, backend: id });
  };
}

const JOBS_IN_WORDS: Readonly<Record<JobsChange, string>> = {
  begun: "serves the requests of a scenario",
  ended: "serves as before the scenario",
  expired: "serves as before the scenario, because it was not asked again to serve the scenario",
};

/** `2 connections, 4 requests, 0 failed`. */
export function totalsInWords({ connections, requests, failed }: BackendTotals): string {
  return `${connections} connection${connections === 1 ? "" : "s"}, ` +
    `${requests} request${requests === 1 ? "" : "s"}, ${failed} failed`;
}
