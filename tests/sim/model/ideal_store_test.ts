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

/** For each client, the backends of its connections. */
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

/** The largest number of backends that a client had. */
function most(set: readonly string[]): number {
  return Math.max(...[...places(set).values()].map((backends) => backends.size));
}

/** A store that does not exist: the simulator must not connect to it. */
const REDIS = 'balancer.sticky.store={redis: "redis://:s3cret@redis.invalid"}';
const SQLITE = "balancer.sticky.store={sqlite: /nowhere/sessions.db}";

Deno.test("simulate() keeps a client on its backend over several balancers if they share a store", () => {
  assert.equal(most([REDIS]), 1);
  const spread = [...places([REDIS]).values()].flatMap((backends) => [...backends]);
  assert.equal(new Set(spread).size, 3);
});

Deno.test("simulate(): balancers without a shared store each keep sessions of their own", () => {
  assert.ok(most(["balancer.sticky.store=memory"]) > 1);
  assert.ok(most([SQLITE]) > 1, "a file belongs to one balancer");
});

Deno.test("simulate() keeps sessions across a restart of the balancer, if they are in a store", () => {
  const restart = ["load_balancers=1", "faults=[{kind: lb-restart, at: 2s, for: 100ms}]"];
  assert.equal(most([...restart, SQLITE]), 1);
  assert.equal(most([...restart, REDIS]), 1);
  assert.ok(most([...restart, "balancer.sticky.store=memory"]) > 1);
});

Deno.test("simulate() removes a session from a store after its ttl", () => {
  assert.ok(most([REDIS, "balancer.sticky.ttl=20ms"]) > 1);
});

Deno.test("simulate() limits a store to max_entries sessions", () => {
  assert.ok(most([REDIS, "balancer.sticky.max_entries=2"]) > 1);
});
