/** Sessions that several simulated balancers share, or that outlive the balancer. */
import assert from "node:assert/strict";
import { type ReadyScenario, simulate } from "../../../sim/mod.ts";
import { studyFrom } from "../study.ts";
import { observer } from "../../support/events.ts";

const TEXT = `
balancer: {backends: 3, algorithm: round-robin, sticky: {ttl: 5m}}
load_balancers: 3
workload:
  arrivals: {poisson: {load: 50%}}
  clients: {count: 20}
duration: 5s
warmup: 0s
`;

/** By client, the backends that its connections went to. */
function places(set: readonly string[]): Map<string, Set<string>> {
  const { scenario } = studyFrom(TEXT, set).variants[0]!;
  const found = new Map<string, Set<string>>();
  simulate(scenario as ReadyScenario, 1, {
    checked: true,
    observe: observer((event) => {
      if (event.type !== "connection_opened") return;
      found.set(event.client, (found.get(event.client) ?? new Set()).add(event.backend));
    }),
  });
  assert.equal(found.size, 20);
  return found;
}

/** The most backends that a client met. */
function most(set: readonly string[]): number {
  return Math.max(...[...places(set).values()].map((backends) => backends.size));
}

/** A store that does not exist: it must not be asked for. */
const REDIS = 'balancer.sticky.store={redis: "redis://:s3cret@redis.invalid"}';
const SQLITE = "balancer.sticky.store={sqlite: /nowhere/sessions.db}";

Deno.test("simulate() keeps a client on its backend over several balancers if they share a store", () => {
  assert.equal(most([REDIS]), 1);
  const spread = [...places([REDIS]).values()].flatMap((backends) => [...backends]);
  assert.equal(new Set(spread).size, 3);
});

Deno.test("simulate() has each balancer pin clients for itself if they share none", () => {
  assert.ok(most(["balancer.sticky.store=memory"]) > 1);
  assert.ok(most([SQLITE]) > 1, "a file belongs to one balancer");
});

Deno.test("simulate() lets sessions outlive a balancer that is restarted, if they are in a store", () => {
  const restart = ["load_balancers=1", "faults=[{kind: lb-restart, at: 2s, for: 100ms}]"];
  assert.equal(most([...restart, SQLITE]), 1);
  assert.equal(most([...restart, REDIS]), 1);
  assert.ok(most([...restart, "balancer.sticky.store=memory"]) > 1);
});

Deno.test("simulate() forgets a session in a store when its time is over", () => {
  assert.ok(most([REDIS, "balancer.sticky.ttl=20ms"]) > 1);
});

Deno.test("simulate() bounds a store as it does the memory of a balancer", () => {
  assert.ok(most([REDIS, "balancer.sticky.max_entries=2"]) > 1);
});
