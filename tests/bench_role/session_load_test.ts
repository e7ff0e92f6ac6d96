import assert from "node:assert/strict";
import { BackendServer } from "../../backend/mod.ts";
import { run, SessionLoad, type SessionOutcome, type SessionRequest } from "../../bench/mod.ts";
import { createRandom, NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import { Demand } from "../../lib/workload/mod.ts";
import { loadParts, WORKLOAD } from "./loads.ts";

const NO_WORK = { kind: "deterministic", value: 0 } as const;
/** A trace ends before this; a closed loop does not. */
const RUN = { duration: NS_PER_S / 2, signal: new AbortController().signal };

function backend(): { server: BackendServer; port: number } {
  const server = new BackendServer("B1", { latency: () => 0 }, createRandom(1));
  return { server, port: server.start({ host: "127.0.0.1", port: 0 }).port };
}

Deno.test("SessionLoad sends each client's requests one after the other on its connection", async () => {
  const { server, port } = backend();
  const { clock, tally, options } = loadParts(port);
  const entries = Array.from({ length: 50 }, (_, i) => ({ at: i * 5 * NS_PER_MS }));
  const demand = new Demand({
    workload: {
      ...WORKLOAD,
      arrivals: { kind: "trace", entries },
      requestsPerConnection: { kind: "deterministic", value: 2 },
    },
    service: NO_WORK,
  }, 1);
  const ended: (SessionRequest & SessionOutcome)[] = [];
  const load = new SessionLoad({
    ...options,
    demand,
    retries: 0,
    ended: (request, outcome) => ended.push({ ...request, ...outcome }),
  }, tally);
  await run(load, clock, { ...RUN, duration: Infinity });
  assert.equal(tally.answers, 100);
  assert.equal(tally.connections, 50);
  assert.deepEqual(tally.byBackend, [100]);
  assert.deepEqual(tally.names.names, ["B1"]);
  const first = ended.filter(({ nth }) => nth === 1).toSorted((a, b) => a.origin - b.origin);
  assert.deepEqual(first.map(({ due }) => due), entries.map(({ at }) => at));
  assert.ok(ended.every(({ error, backend, at, due }) => !error && backend === "B1" && at > due));
  await server.kill();
});

Deno.test("SessionLoad keeps a closed loop of clients, each waiting for its answer", async () => {
  const { server, port } = backend();
  const { clock, tally, options } = loadParts(port);
  const demand = new Demand({
    workload: { ...WORKLOAD, arrivals: { kind: "closed", clients: 3, think: NO_WORK } },
    service: NO_WORK,
  }, 1);
  const load = new SessionLoad({ ...options, demand, retries: 0 }, tally);
  await run(load, clock, RUN);
  assert.ok(tally.answers > 3);
  assert.equal(tally.connections, tally.answers);
  assert.equal(tally.unfinished, 0);
  await server.kill();
});

Deno.test("SessionLoad tries a failed request again, and counts it once", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { clock, tally, options } = loadParts(port);
  const attempts: number[] = [];
  const demand = new Demand({
    workload: {
      ...WORKLOAD,
      arrivals: { kind: "trace", entries: [{ at: 0 }, { at: 1 }] },
    },
    service: NO_WORK,
  }, 1);
  const ended = ({ attempt }: SessionRequest) => attempts.push(attempt);
  const load = new SessionLoad({ ...options, demand, retries: 2, ended }, tally);
  await run(load, clock, RUN);
  assert.deepEqual(attempts, [3, 3]);
  assert.deepEqual([...tally.errors], [["refused", 2]]);
  assert.equal(load.firstFailure, `nothing listens on 127.0.0.1:${port}`);
});
