/**
 * The only place that decides when a backend takes a client. The decision depends on the operator's wishes, the
 * results of probes and connects, and the number of connections.
 */
import type { BackendMode, BackendOptions } from "./backend.ts";

/** The properties of a backend on which its availability depends. */
export interface Judged {
  readonly mode: BackendMode;
  readonly health: { readonly state: "unknown" | "up" | "down" };
  readonly ejection: { readonly ejected: boolean } | undefined;
  /** Its weight in the configuration. */
  readonly fullWeight: number;
  readonly inFlight: number;
  readonly maxConnections: number;
  readonly removed: boolean;
}

/** The state of a backend in one word. The operator's wish comes first, then the results of probes and connects. */
export type BackendCondition = "up" | "down" | "unknown" | "ejected" | "drain" | "maintenance";

/** The state of a backend. Only a backend that is `up` is among the `activeServers`. */
export function conditionOf(backend: Judged): BackendCondition {
  if (backend.mode !== "ready") return backend.mode;
  if (backend.health.state === "up" && backend.ejection?.ejected) return "ejected";
  return backend.health.state;
}

/** Whether a backend is healthy and enabled. It may be full, or have weight 0. */
export function isActive(backend: Judged): boolean {
  return backend.mode === "ready" && isHealthy(backend);
}

/** Whether a backend takes new clients when it is not full. */
export function isServing(backend: Judged): boolean {
  return isActive(backend) && backend.fullWeight > 0 && !backend.removed;
}

/** Whether a backend is at its limit of connections. */
export function isFull({ inFlight, maxConnections }: Judged): boolean {
  return inFlight >= maxConnections;
}

/** Whether a new client may be sent to a backend now: the one question that algorithms ask. */
export function isAvailable(backend: Judged): boolean {
  return isServing(backend) && !isFull(backend);
}

/** Whether a backend is full, but a client that waits may get a place there. */
export function mayHaveRoom(backend: Judged): boolean {
  return isServing(backend) && isFull(backend);
}

/**
 * Whether a backend takes clients that are pinned to it; it may be full.
 *
 * @param drain `allow`: also while the backend drains or has weight 0.
 */
export function takesItsOwn(backend: Judged, drain: "move" | "allow"): boolean {
  return isServing(backend) || (drain === "allow" && isForItsOwnOnly(backend));
}

/** Whether a backend can take clients that are pinned to it, but takes no new clients. */
export function isForItsOwnOnly(backend: Judged): boolean {
  return isHealthy(backend) && backend.mode !== "maintenance" && !isServing(backend) &&
    !backend.removed;
}

/** Whether a backend may be tried when no backend is active: it is not in drain or maintenance, and not full. */
export function mayBeTriedAnyway(backend: Judged): boolean {
  return backend.mode === "ready" && backend.fullWeight > 0 && !isFull(backend);
}

/**
 * Whether a backend gets clients while all backends are healthy: it is not a backup, not in drain or
 * maintenance, and has a weight.
 */
export function takesClients(
  { backup, weight, mode = "ready" }: Pick<BackendOptions, "backup" | "weight" | "mode">,
): boolean {
  return !backup && weight > 0 && mode === "ready";
}

/** Why a backend gets no new client, in words; undefined if it can get one. */
export function unavailability(backend: Judged): string | undefined {
  const condition = conditionOf(backend);
  if (condition !== "up") return condition === "unknown" ? "not probed yet" : condition;
  if (backend.fullWeight === 0) return "weight 0";
  if (isFull(backend)) return `full: ${backend.inFlight} of ${backend.maxConnections}`;
  return undefined;
}

/** Whether a backend is up by its probes, and not ejected because of failed connects. */
function isHealthy({ health, ejection }: Judged): boolean {
  return health.state === "up" && ejection?.ejected !== true;
}
