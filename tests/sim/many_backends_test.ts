/** Thousands of backends: an event of one backend must not cause work for all backends. */
import assert from "node:assert/strict";
import { Health } from "../../lib/core/mod.ts";
import { NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import { simulate } from "../../sim/mod.ts";
import { PROBES, queueing } from "./scenarios.ts";

/** How often a run asks a backend whether it is up: the mean over the backends. */
function questions(n: number): number {
  const original = Object.getOwnPropertyDescriptor(Health.prototype, "state")!;
  let asked = 0;
  Object.defineProperty(Health.prototype, "state", {
    configurable: true,
    get() {
      asked++;
      return original.get!.call(this);
    },
  });
  try {
    simulate(
      queueing({
        n,
        arrivals: { kind: "poisson", rate: 1 },
        balancer: { healthCheck: PROBES },
        faults: Array.from({ length: n }, (_, backend) => ({
          at: NS_PER_S,
          for: 2 * NS_PER_S,
          backend,
          kind: { name: "crash" } as const,
        })),
        end: { duration: 5 * NS_PER_S },
        warmup: 0,
      }),
      1,
    );
  } finally {
    Object.defineProperty(Health.prototype, "state", original);
  }
  return asked / n;
}

Deno.test("simulate() asks each of many backends about as often as each of a few whether it is up", () => {
  const [few, many] = [questions(50), questions(1000)];
  assert.ok(many < 2 * few, `${few} of 50, ${many} of 1000`);
});

Deno.test("simulate() keeps time series of at most 200 backends, and results of all", () => {
  const course = (n: number) =>
    simulate(
      queueing({
        n,
        arrivals: { kind: "poisson", rate: 100 },
        service: { kind: "deterministic", value: NS_PER_MS },
        end: { duration: NS_PER_S },
        warmup: 0,
      }),
      1,
      { series: true },
    );
  assert.equal(course(200).series!.backends.length, 200);
  const many = course(500);
  assert.equal(many.series!.backends.length, 200);
  assert.equal(many.backends.length, 500, "there is a result for each backend");
});
