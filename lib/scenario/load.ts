/** What clients bring, and what backends can do. */
import { takesClients } from "../core/mod.ts";
import { type Distribution, meanCount } from "../stats/mod.ts";
import type { ServerOptions } from "./types.ts";

/** Work that is done per unit of time when no backend rests that clients are meant for: Σ slots · speed. */
export function workCapacity(
  backends: readonly Parameters<typeof takesClients>[0][],
  servers: readonly ServerOptions[],
): number {
  return servers.reduce(
    (sum, { slots, speed }, i) => sum + (takesClients(backends[i]!) ? slots * speed : 0),
    0,
  );
}

/** The work of all requests of a connection, on average. */
export function workPerConnection(meanWork: number, requestsPerConnection: Distribution): number {
  return meanWork * meanCount(requestsPerConnection);
}
