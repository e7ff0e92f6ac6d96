/** The work that clients bring, and the work that backends can do. */
import { takesClients } from "../core/mod.ts";
import { type Distribution, meanCount, meanOf } from "../stats/mod.ts";
import type { ServerOptions } from "./types.ts";

/** The work that a server does per unit of time while all its slots are busy. */
export function serverCapacity({ slots, speed }: Pick<ServerOptions, "slots" | "speed">): number {
  return slots * speed;
}

/** The mean time that a slot of a server is busy with a request. */
export function meanServiceTime(
  service: Distribution,
  { speed }: Pick<ServerOptions, "speed">,
): number {
  return meanOf(service) / speed;
}

/**
 * The work that the backends do per unit of time while all of them are busy: Σ slots · speed. Backups, and backends
 * that get no clients, do not count.
 */
export function workCapacity(
  backends: readonly Parameters<typeof takesClients>[0][],
  servers: readonly ServerOptions[],
): number {
  return servers.reduce(
    (sum, server, i) => sum + (takesClients(backends[i]!) ? serverCapacity(server) : 0),
    0,
  );
}

/** The work of all requests of a connection, on average. */
export function workPerConnection(meanWork: number, requestsPerConnection: Distribution): number {
  return meanWork * meanCount(requestsPerConnection);
}
