import { assert } from "../lib/core/mod.ts";
import { AT_BACKEND, LEASED, PROMISED, QUEUED, TAKEN, WAITED_FOR } from "./connections.ts";
import type { World } from "./world.ts";

/**
 * What must be true between any two events: no request is lost or counted twice, and everybody who counts
 * the same thing comes to the same number.
 */
export function checkInvariants(world: World): void {
  const { connections, recorder, backends, balancers, warmup } = world;
  const { flags, startedAt, backend, balancer } = connections;
  const size = connections.size;
  let waitedFor = 0;
  const atBackend = new Array<number>(backends.length).fill(0);
  const promised = new Array<number>(backends.length).fill(0);
  const leased = new Array<number>(backends.length).fill(0);
  const held = new Array<number>(balancers.length).fill(0);
  const queued = new Array<number>(balancers.length).fill(0);
  for (let c = 0; c < size; c++) {
    const flag = flags[c]!;
    if ((flag & TAKEN) === 0) continue;
    if ((flag & WAITED_FOR) !== 0 && startedAt[c]! >= warmup) waitedFor++;
    const at = backend[c]!;
    if ((flag & AT_BACKEND) !== 0) atBackend[at] = atBackend[at]! + 1;
    if ((flag & PROMISED) !== 0) promised[at] = promised[at]! + 1;
    if ((flag & QUEUED) !== 0) queued[balancer[c]!] = queued[balancer[c]!]! + 1;
    if ((flag & LEASED) === 0) continue;
    leased[at] = leased[at]! + 1;
    held[balancer[c]!] = held[balancer[c]!]! + 1;
    assert(connections.lease[c]?.backend.index === at, "a lease is for the backend it names");
  }
  assert(
    waitedFor === recorder.inFlight,
    "offered = done + failed + refused + timed out + waiting",
  );
  for (const { index, server, inFlight } of backends) {
    assert(server.size === atBackend[index], "a server has the requests that are with it");
    assert(server.promised === promised[index], "as many places are promised as are waited for");
    assert(inFlight === leased[index], "a backend has as many connections in flight as leases");
    const counted = balancers.reduce(
      (sum, { scheduler }) => sum + scheduler.backends[index]!.inFlight,
      0,
    );
    assert(counted === inFlight, "the balancers count what is in flight");
  }
  for (const { index, scheduler } of balancers) {
    assert(scheduler.connections === held[index], "a balancer counts the leases it has given");
    assert(scheduler.waiting === queued[index], "a balancer counts those who wait");
  }
}
