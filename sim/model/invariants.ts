import { assert } from "../../lib/base/mod.ts";
import type { EventBalance } from "../../lib/core/mod.ts";
import {
  ASSIGNED,
  AT_BACKEND,
  AWAITED,
  type Connection,
  IN_USE,
  PROBE,
  QUEUED,
  RESERVED,
} from "./connections.ts";
import type { World } from "./world.ts";

/**
 * Checks the conditions that must be true between any two events: no request is lost or counted twice, and all counts
 * of the same thing are equal.
 */
export function checkInvariants(world: World, balances: readonly EventBalance[]): void {
  const { connections, recorder, backends, balancers, clients, warmup } = world;
  let waitedFor = 0;
  const atBackend = new Array<number>(backends.length).fill(0);
  const reserved = new Array<number>(backends.length).fill(0);
  const assigned = new Array<number>(backends.length).fill(0);
  const held = new Array<number>(balancers.length).fill(0);
  const queued = new Array<number>(balancers.length).fill(0);
  const atWork = new Array<number>(clients.inLoop).fill(0);
  for (const connection of connections.all) {
    if (!connection.is(IN_USE)) continue;
    assert(
      isGoingOn(connection),
      "a connection is in use only while an event, a message or a service of it is to come",
    );
    if (connection.is(AWAITED) && connection.startedAt >= warmup) waitedFor++;
    if (connection.owner >= 0 && !connection.is(PROBE)) atWork[connection.owner]!++;
    if (connection.is(QUEUED)) queued[connection.balancer.index]!++;
    if (!connection.is(AT_BACKEND | RESERVED | ASSIGNED)) continue;
    const at = connection.backend.index;
    if (connection.is(AT_BACKEND)) atBackend[at]!++;
    if (connection.is(RESERVED)) reserved[at]!++;
    if (!connection.is(ASSIGNED)) continue;
    assigned[at]!++;
    held[connection.balancer.index]!++;
    assert(
      connection.scheduled?.backend.id === connection.backend.id,
      "the scheduler and the simulated world name the same backend of a connection",
    );
  }
  assert(
    waitedFor === recorder.inFlight,
    "offered = done + failed + refused + timed out + waiting",
  );
  const each = clients.stopped ? "at most" : "exactly";
  assert(
    atWork.every((count) => count === 1 || (clients.stopped && count === 0)),
    `every client of the closed loop has ${each} one request, or thinks`,
  );
  for (const { id, index, server, inFlight } of backends) {
    assert(
      server.waiting === 0 || server.busy >= server.slots,
      "no request waits while a slot is free",
    );
    assert(
      server.size === atBackend[index],
      "a server counts the requests whose connections are at the backend",
    );
    assert(
      server.reserved === reserved[index],
      "a server reserves one place for each connection whose request is on the way",
    );
    assert(
      inFlight === assigned[index],
      "a backend counts the connections that were assigned to it",
    );
    const counted = balancers.reduce(
      (sum, { scheduler }) => sum + (scheduler.backend(id)?.inFlight ?? 0),
      0,
    );
    // A backend that was removed keeps its connections until they end.
    assert(
      counted === inFlight || (counted < inFlight && world.scenario.changes !== undefined),
      "the balancers count what is in flight",
    );
  }
  for (const { index, scheduler, readerFailures } of balancers) {
    if (readerFailures.length > 0) throw readerFailures[0]!;
    assert(
      scheduler.connections === held[index],
      "a balancer counts the connections that have a backend",
    );
    assert(scheduler.waiting === queued[index], "a balancer counts the connections that wait");
    assert(
      balances[index]!.present === held[index]! + queued[index]!,
      "the events of a balancer account for all connections that have a backend or wait",
    );
  }
}

/** Whether an event, a message or a service of the connection is still to come. */
function isGoingOn({ flags, pending, clientAbort, reset }: Connection): boolean {
  if (pending !== 0 || (flags & (AT_BACKEND | QUEUED)) !== 0) return true;
  if ((flags & ASSIGNED) === 0) return false;
  return reset !== 0 || ((flags & AWAITED) === 0 && clientAbort !== 0);
}
