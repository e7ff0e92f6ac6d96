import assert from "node:assert/strict";
import { parseStudy } from "../../../lib/scenario/study.ts";
import { simulate } from "../../../sim/mod.ts";
import { replicationSeed } from "../../../lib/workload/mod.ts";
import { offeredLoad } from "../../../sim/model/load.ts";

/** The offered load, and the share of the slots that were busy in runs. */
function loads(text: string, files: Readonly<Record<string, string>> = {}) {
  const named = Object.entries(files).map(([file, text]) => [file, { file, text }]);
  const study = parseStudy({
    scenario: { file: "scenario.yaml", text },
    files: Object.fromEntries(named),
    set: [],
  });
  const { scenario } = study.variants[0]!;
  const runs = Array.from(
    { length: 8 },
    (_, r) => simulate({ ...scenario, warmup: 0 }, replicationSeed(study.seed, r)),
  );
  const busy = runs.flatMap(({ backends }) => backends.map(({ utilisation }) => utilisation));
  return {
    load: offeredLoad(scenario),
    busy: busy.reduce((sum, share) => sum + share, 0) / busy.length,
  };
}

const COUNTS = [
  "{exponential: {mean: 1}}",
  "{exponential: {mean: 2.5}}",
  "{uniform: {min: 1, max: 2}}",
  "{lognormal: {mean: 1, sigma: 1}}",
  "{erlang: {stages: 2, mean: 1.1}}",
  "1.4",
  "{empirical: {values: [1, 1.6, 4]}}",
];

for (const requests of COUNTS) {
  Deno.test(`offeredLoad() is the load of clients that send ${requests} requests on each connection`, () => {
    const { load, busy } = loads(`
balancer: {backends: 4, algorithm: random, health_check: {type: none}}
duration: 4m
workload: {arrivals: {poisson: {load: 60%}}, requests_per_connection: ${requests}}
service: {exponential: {mean: 10ms}}
`);
    assert.ok(Math.abs(load - 0.6) < 1e-9, `load ${load}`);
    assert.ok(Math.abs(busy - 0.6) < 0.02, `busy ${busy}`);
  });
}

Deno.test("offeredLoad() of a trace is computed from the work that the trace states", () => {
  // Every 100 ms a job of 10 ms: a load of 10 %. The key `service`, which has no effect here, would give a load of 100
  // %.
  const rows = Array.from({ length: 600 }, (_, i) => `${i / 10},10ms`);
  const text = `
balancer: {backends: 1, health_check: {type: none}}
duration: 1m
workload: {arrivals: {trace: t.csv}}
service: 100ms
`;
  const { load, busy } = loads(text, { "t.csv": ["at,service", ...rows].join("\n") });
  assert.ok(Math.abs(load - 0.1) < 0.001 && Math.abs(busy - 0.1) < 0.001, `${load} ${busy}`);
  // If some rows state no work, the work of these rows is drawn from `service`.
  const half = rows.map((row, i) => i % 2 === 0 ? row : row.replace("10ms", ""));
  const mixed = loads(text, { "t.csv": ["at,service", ...half].join("\n") });
  assert.ok(Math.abs(mixed.load - 0.55) < 0.005 && Math.abs(mixed.busy - 0.55) < 0.005);
});

Deno.test("offeredLoad() of a trace is the load of the part that the run plays", () => {
  const rows = Array.from({ length: 1200 }, (_, i) => `${i / 10},${i < 600 ? 10 : 90}ms`);
  const text = `
balancer: {backends: 1, health_check: {type: none}}
duration: 1m
workload: {arrivals: {trace: t.csv}}
`;
  const { load, busy } = loads(text, { "t.csv": ["at,service", ...rows].join("\n") });
  assert.ok(Math.abs(load - 0.1) < 0.001 && Math.abs(busy - 0.1) < 0.001, `${load} ${busy}`);
});
