/** The load generator's arrivals are those of the simulator with the same seed. */
import assert from "node:assert/strict";
import { DialError } from "../../bench/drive/dialing.ts";
import { planOf } from "../../bench/plan.ts";
import { BackendNames, linePayload, Tally } from "../../bench/mod.ts";
import { NS_PER_MS } from "../../lib/base/mod.ts";
import { replicationSeed } from "../../lib/workload/mod.ts";
import { simulate } from "../../sim/mod.ts";
import { observer } from "../support/events.ts";
import { studyFrom } from "../sim/study.ts";

const SEED = 7;
const COUNT = 200;

/** When the clients of a scenario arrive in virtual time, in milliseconds. */
function simulated(arrivals: string): number[] {
  const study = studyFrom(`
balancer: {backends: 2}
workload: {arrivals: ${arrivals}}
service: 1us
warmup: 0s
duration: 5s
`);
  const times: number[] = [];
  const { scenario } = study.variants[0]!;
  simulate({ ...scenario, warmup: 0 }, replicationSeed(SEED, 0), {
    observe: observer((event) => {
      if (event.type === "connection_arrived") times.push(event.at_ms);
    }),
  });
  return times.slice(0, COUNT);
}

const FLAGS = { set: [], poisson: false, duration: 5_000 * NS_PER_MS };

for (
  const [name, notation, flags] of [
    ["--rate", "{deterministic: 300/s}", { rate: 300 }],
    ["--rate --poisson", "{poisson: 300/s}", { rate: 300, poisson: true }],
    ...[
      "{poisson: 300/s}",
      "{renewal: {gap: {lognormal: {mean: 3ms, sigma: 1}}}}",
      "{mmpp: {states: [{rate: 500/s, stay: 100ms}, {rate: none, stay: 50ms}]}}",
      "{on_off: {rate: 600/s, on: 100ms, off: {exponential: {mean: 100ms}}}}",
      "{diurnal: {rate: 300/s, amplitude: 80%, period: 1s}}",
    ].map((notation) => [`--arrivals "${notation}"`, notation, { arrivals: notation }] as const),
  ] as const
) {
  Deno.test(`lbsim bench ${name} gives the arrivals of lbsim sim with the same seed`, async () => {
    const plan = await planOf({ ...FLAGS, ...flags, seed: SEED });
    let now = 0;
    const load = plan.create({
      // Nothing listens there, and nothing needs to: only the times count.
      address: { host: "127.0.0.1", port: 1 },
      payload: linePayload(),
      timeout: 1,
      now: () => now,
    }, new Tally(new BackendNames()));
    const times: number[] = [];
    while (times.length < COUNT && load.nextAt !== Infinity) {
      now = load.nextAt;
      times.push(now / NS_PER_MS);
      load.ring(now);
    }
    await load.close();
    assert.equal(times.length, COUNT);
    assert.deepEqual(times, simulated(notation));
  });
}

Deno.test("lbsim bench --scenario brings the clients of lbsim sim, at their times", async () => {
  const text = `
balancer: {backends: 2}
workload:
  arrivals: {poisson: 400/s}
  clients: {count: 50, zipf: 1}
service: 1us
warmup: 0s
duration: 1s
`;
  const expected: string[] = [];
  simulate({ ...studyFrom(text).variants[0]!.scenario, warmup: 0 }, replicationSeed(SEED, 0), {
    observe: observer((event) => {
      if (event.type === "connection_arrived") expected.push(`${event.at_ms} ${event.client}`);
    }),
  });
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/clients.yaml`;
    await Deno.writeTextFile(file, text);
    const plan = await planOf({ set: [], poisson: false, scenario: file, seed: SEED });
    const found: string[] = [];
    let now = 0;
    const load = plan.create({
      address: { host: "127.0.0.1", port: 1 },
      payload: linePayload(),
      timeout: NS_PER_MS,
      now: () => now,
      // What the PROXY header of a connection would state.
      dial(_options, _from, client) {
        found.push(`${now / NS_PER_MS} ${client}`);
        return Promise.reject(new DialError("refused", "nothing listens"));
      },
    }, new Tally(new BackendNames()));
    for (; load.nextAt !== Infinity; load.ring(now)) now = load.nextAt;
    await load.close();
    assert.ok(found.length > 300);
    assert.deepEqual(found, expected);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
