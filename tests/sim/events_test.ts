/** The events of a simulated run, and readers of these events that fail. */
import assert from "node:assert/strict";
import type { LbEvent } from "../../lib/core/mod.ts";
import { NS_PER_S, VERSION } from "../../lib/base/mod.ts";
import { type Observer, simulate } from "../../sim/mod.ts";
import { summarise } from "../../sim/study/summary.ts";
import { observer } from "../support/events.ts";
import { queueing } from "./scenarios.ts";
import { studyFrom } from "./study.ts";

function run(observe: Observer, checked = false) {
  const end = { duration: 20 * NS_PER_S };
  return simulate(queueing({ n: 2, loadBalancers: 2, warmup: 0, end }), 7, { checked, observe });
}

Deno.test("simulate() emits run_started first, for each balancer", () => {
  const events: [LbEvent, number][] = [];
  const configuration = { algorithm: "random" };
  run({ configuration, read: (event, balancer) => void events.push([event, balancer]) });
  const started = {
    type: "run_started",
    at_ms: 0,
    version: VERSION,
    seed: 7,
    epoch_ms: 0,
    configuration,
  };
  assert.deepEqual(events.slice(0, 2), [[started, 0], [started, 1]]);
  assert.equal(events.filter(([{ type }]) => type === "run_started").length, 2);
  assert.ok(events.length > 2);
});

const throwing = observer(({ type }) => {
  if (type === "connection_opened") throw new TypeError("a defect");
});

Deno.test("simulate() gives the same result when a reader of its events throws, and names the reader", () => {
  const sound = run(observer(() => {}));
  const { readerFailures, ...result } = run(throwing);
  assert.deepEqual(result, sound);
  const failure =
    'the reader "observer" failed at an event connection_opened and gets no more events: ' +
    "TypeError: a defect";
  assert.deepEqual(readerFailures, [failure, failure], "one of each balancer");
  const study = studyFrom("{balancer: {backends: 2}, replications: 1, duration: 20s}");
  const { variants: [variant] } = summarise(study, [[{ ...result, readerFailures }]]);
  assert.equal(variant!.warnings[0], `a defect of lbsim: ${failure}`);
});

Deno.test("simulate() fails when a reader throws in a run that is checked", () => {
  assert.throws(() => run(throwing, true), /ReaderFailure|observer/);
});
