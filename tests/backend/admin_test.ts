import assert from "node:assert/strict";
import { backendAdminSettings, BackendFaults, BackendServer } from "../../backend/mod.ts";
import { startBackendAdmin } from "../../backend/mod.ts";
import { createRandom } from "../../lib/base/mod.ts";
import { prepareTokenFile } from "../../lib/admin/mod.ts";
import { ask, raw } from "../support/admin.ts";
import { VERSION } from "../../lib/base/mod.ts";
import { ask as talk, eventually } from "../support/sockets.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** A backend named B1 with its admin API and a token file, for as long as the test lasts. */
async function hurtable(listen = LOOPBACK) {
  const folder = await Deno.makeTempDir({ prefix: "lbsim-fault-" });
  const tokenFile = `${folder}/admin.token`;
  const warnings: string[] = [];
  const warn = (sentence: string) => void warnings.push(sentence);
  await prepareTokenFile(tokenFile, warn);
  const server = new BackendServer("B1", {}, createRandom(1));
  const address = server.start(LOOPBACK);
  const faults = new BackendFaults(server);
  const settings = backendAdminSettings(listen, { hosts: [], tokenFile })!;
  const changes: string[] = [];
  const changed: (() => void)[] = [];
  const api = await startBackendAdmin(faults, settings, warn, (change) => {
    changes.push(change);
    changed.splice(0).forEach((wake) => wake());
  });
  const token = (await Deno.readTextFile(tokenFile)).trim();
  return {
    ...{ address, faults, url: api.url, token, tokenFile, warnings },
    change: (method: string, body?: unknown, headers: Record<string, string> = {}) =>
      ask(`${api.url}/api/fault`, {
        method,
        headers: {
          "Authorization": `Bearer ${token}`,
          "Content-Type": "application/json",
          ...headers,
        },
        ...body !== undefined && { body: JSON.stringify(body) },
      }),
    /** The reported changes: the backend began to serve a scenario, or stopped. */
    changes,
    /** Resolves at the next of these changes. */
    nextChange: () => new Promise<void>((resolve) => changed.push(resolve)),
    serve: (method: string, body?: unknown) =>
      ask(`${api.url}/api/service`, {
        method,
        headers: { "Authorization": `Bearer ${token}`, "Content-Type": "application/json" },
        ...body !== undefined && { body: JSON.stringify(body) },
      }),
    get: (headers: Record<string, string> = {}) => ask(`${api.url}/api/fault`, { headers }),
    async [Symbol.asyncDispose]() {
      await api.stop();
      await faults.end();
      await server.kill();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("PUT /api/fault begins a fault, GET shows it, DELETE ends it", async () => {
  await using lab = await hurtable();
  const { status, json } = await lab.change("PUT", { kind: "crash", for: "30s" });
  assert.equal(status, 200);
  const [{ ends_in_ms, ...fault }] = json.faults;
  assert.deepEqual(fault, { kind: "crash", fault: "crash", for_ms: 30_000 });
  assert.ok(ends_in_ms > 0 && ends_in_ms <= 30_000);
  await assert.rejects(talk(lab.address, "hi\n"), Deno.errors.ConnectionRefused);
  assert.equal((await lab.get()).json.faults.length, 1);
  assert.deepEqual((await lab.change("DELETE")).json, { backend: "B1", faults: [] });
  assert.equal(await talk(lab.address, "hi\n"), "Hello from B1: hi\n");
});

Deno.test("PUT /api/fault accepts every kind of fault as a scenario writes it, and GET shows it in the same words", async () => {
  await using lab = await hurtable();
  const kinds: [kind: unknown, words: string][] = [
    ["crash", "crash"],
    ["hang", "hang"],
    ["pause", "pause"],
    ["refuse", "refuse"],
    ["reset", "reset"],
    [{ slow: 5 }, "slow 5x"],
    [{ "fail-rate": "20%" }, "fail-rate 20%"],
    [{ "fast-errors": "100%" }, "fast-errors 100%"],
    [{ gray: { rate: "30%", slow: 2 } }, "gray 30% 2x"],
    [{ flap: { period: "10s", down: "50%" } }, "flap 10s 50%"],
  ];
  for (const [kind, words] of kinds) {
    const { json } = await lab.change("PUT", { kind });
    assert.deepEqual(json.faults.at(-1), { kind, fault: words, for_ms: null, ends_in_ms: null });
  }
  assert.equal(lab.faults.active.length, kinds.length);
  // A fault of the same kind replaces the earlier one.
  const { json } = await lab.change("PUT", { kind: { slow: 2 } });
  assert.equal(json.faults.length, kinds.length);
});

const WRONG: readonly (readonly [unknown, RegExp])[] = [
  [{ kind: "explode" }, /kind/],
  [{ kind: "partition" }, /kind/],
  [{ kind: { slow: 0 } }, /kind/],
  [{ kind: { slow: "5x" } }, /kind/],
  [{ kind: { slow: 5, "fail-rate": "10%" } }, /kind/],
  [{ kind: {} }, /kind/],
  [{ kind: { "fail-rate": "150%" } }, /kind/],
  [{ kind: "hang", for: "30" }, /for: .*unit/],
  [{ kind: "hang", for: "0s" }, /for/],
  [{ kind: "hang", at: "1s" }, /at/],
  [{}, /kind/],
  [[], /./],
  ["hang", /./],
];

for (const [body, reason] of WRONG) {
  Deno.test(`PUT /api/fault refuses ${JSON.stringify(body)}`, async () => {
    await using lab = await hurtable();
    const { status, json } = await lab.change("PUT", body);
    assert.equal(status, 400);
    assert.match(json.error, reason);
    assert.deepEqual(lab.faults.active, []);
  });
}

Deno.test("the admin API of a backend changes nothing without the token", async () => {
  await using lab = await hurtable();
  for (const token of ["", "Bearer ", "Bearer wrong", `Basic ${btoa(`x:${lab.token}`)}`]) {
    for (const method of ["PUT", "DELETE"]) {
      const answer = await lab.change(method, method === "PUT" ? { kind: "hang" } : undefined, {
        Authorization: token,
      });
      assert.equal(answer.status, 401, `${method} with ${token}`);
    }
  }
  await Deno.writeTextFile(lab.tokenFile, "");
  assert.equal((await lab.change("PUT", { kind: "hang" })).status, 401);
  assert.equal((await lab.get()).status, 200);
  assert.deepEqual(lab.faults.active, []);
});

Deno.test("the admin API of a backend refuses pages of other sites and other hosts", async () => {
  await using lab = await hurtable();
  const put = { kind: "hang" };
  assert.equal((await lab.change("PUT", put, { Origin: "http://evil.example" })).status, 403);
  assert.equal((await lab.change("PUT", put, { Origin: "null" })).status, 403);
  assert.equal((await lab.change("PUT", put, { "Sec-Fetch-Site": "cross-site" })).status, 403);
  assert.equal((await lab.change("PUT", put, { "Content-Type": "text/plain" })).status, 415);
  assert.equal((await lab.change("POST", put)).status, 405);
  const { hostname, port } = new URL(lab.url);
  const rebound = await raw(
    { hostname, port: Number(port) },
    "GET /api/fault HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
  );
  assert.match(rebound, /^HTTP\/1\.1 421 /);
  assert.deepEqual(lab.faults.active, []);
});

Deno.test("the admin API of a backend refuses a body that is too large, and then nothing has changed", async () => {
  await using lab = await hurtable();
  const { status } = await lab.change("PUT", { kind: "hang", for: "x".repeat(70_000) });
  assert.equal(status, 413);
  assert.equal((await ask(`${lab.url}/api/fault?kind=hang`)).status, 200);
  assert.deepEqual(lab.faults.active, []);
});

Deno.test("if the admin API of a backend listens beyond loopback, reading its faults needs the token, too", async () => {
  await using lab = await hurtable({ host: "0.0.0.0", port: 0 });
  const url = `http://127.0.0.1:${new URL(lab.url).port}/api/fault`;
  assert.equal((await ask(url)).status, 401);
  const headers = { Authorization: `Bearer ${lab.token}` };
  assert.equal((await ask(url, { headers })).status, 200);
  assert.match(lab.warnings.join(), /no TLS/);
});

Deno.test("an admin API of a backend without a token file changes nothing", async () => {
  const server = new BackendServer("B1", {}, createRandom(1));
  server.start(LOOPBACK);
  const faults = new BackendFaults(server);
  const api = await startBackendAdmin(
    faults,
    backendAdminSettings(LOOPBACK, { hosts: [] })!,
    () => {},
  );
  try {
    const answer = await ask(`${api.url}/api/fault`, {
      method: "PUT",
      headers: { "Authorization": "Bearer x", "Content-Type": "application/json" },
      body: JSON.stringify({ kind: "hang" }),
    });
    assert.equal(answer.status, 403);
  } finally {
    await api.stop();
    await server.kill();
  }
});

const SERVICE = {
  slots: 2,
  queue: "unlimited",
  speed: 1,
  discipline: "fifo",
  abandoned: "serve",
  for: "30s",
};
/** A job of 2 ms. It fails only under a fault with a rate of errors above 0.99. */
const JOB = "job 1.1.1 2000000 0.99 0.99\n";

Deno.test("PUT /api/service lets the backend serve the jobs of a scenario; DELETE stops this", async () => {
  await using lab = await hurtable();
  assert.equal(await talk(lab.address, JOB), `Hello from B1: ${JOB}`, "an echo");
  const { json } = await lab.serve("PUT", SERVICE);
  const { run, ends_in_ms, busy_ms, ...service } = json.service;
  assert.deepEqual(
    { ...json, service },
    {
      backend: "B1",
      version: VERSION,
      service: {
        ...{ slots: 2, queue: "unlimited", speed: 1, discipline: "fifo", abandoned: "serve" },
        waiting_ms: 0,
      },
    },
  );
  assert.ok(ends_in_ms > 0 && ends_in_ms <= 30_000);
  assert.equal(busy_ms, 0);
  assert.equal(
    await talk(lab.address, `${JOB}${JOB}`),
    "Hello from B1: done 0\nHello from B1: done 0\n",
  );
  assert.match(await talk(lab.address, "hi\n"), /^Hello from B1: hi\n/, "a probe");
  assert.match(await talk(lab.address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), /^HTTP\/1\.1 200/);
  const again = (await lab.serve("PUT", SERVICE)).json.service;
  assert.equal(again.run, run, "the same settings only extend the time");
  assert.ok(again.busy_ms >= 4, `${again.busy_ms} ms of work`);
  assert.equal((await lab.serve("DELETE")).json.service, null);
  assert.equal(await talk(lab.address, JOB), `Hello from B1: ${JOB}`);
  assert.deepEqual(lab.changes, ["begun", "ended"]);
});

Deno.test("a backend serves as before when its time for a scenario is over", async () => {
  await using lab = await hurtable();
  const begun = lab.nextChange();
  await lab.serve("PUT", { ...SERVICE, for: "20ms" });
  await begun;
  if (lab.changes.length === 1) await lab.nextChange();
  assert.deepEqual(lab.changes, ["begun", "expired"]);
  assert.equal((await lab.serve("GET")).json.service, null);
  assert.equal(await talk(lab.address, "hi\n"), "Hello from B1: hi\n");
});

Deno.test("PUT /api/service refuses other settings while the backend serves a scenario", async () => {
  await using lab = await hurtable();
  await lab.serve("PUT", SERVICE);
  const { status, json } = await lab.serve("PUT", { ...SERVICE, slots: 3 });
  assert.equal(status, 409);
  assert.match(json.error, /B1 serves a scenario already/);
  assert.equal((await lab.serve("GET")).json.service.slots, 2);
});

Deno.test("faults also act on a backend while it serves a scenario", async () => {
  await using lab = await hurtable();
  await lab.change("PUT", { kind: { "fail-rate": "100%" } });
  await lab.serve("PUT", SERVICE);
  assert.equal(await talk(lab.address, JOB), "Hello from B1: error\n");
  await lab.change("PUT", { kind: "crash" });
  await assert.rejects(talk(lab.address, JOB), Deno.errors.ConnectionRefused);
  await lab.change("DELETE");
  assert.equal(await talk(lab.address, JOB), "Hello from B1: done 0\n");
});

Deno.test("a backend that serves a scenario refuses connects while its queue is full, and accepts them when it has room", async () => {
  await using lab = await hurtable();
  await lab.serve("PUT", { ...SERVICE, slots: 1, queue: 0 });
  const one = await Deno.connect({ hostname: "127.0.0.1", port: lab.address.port });
  await one.write(new TextEncoder().encode("job 1.1.1 60000000000 0.9 0.9\n"));
  const refused = async () => {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port: lab.address.port })).close();
      return false;
    } catch {
      return true;
    }
  };
  await eventually(refused, "it refuses");
  await lab.serve("DELETE");
  assert.equal(await talk(lab.address, "hi\n"), "Hello from B1: hi\n");
  one.close();
});

const WRONG_SERVICE: readonly (readonly [unknown, RegExp])[] = [
  [{ ...SERVICE, slots: 0 }, /slots/],
  [{ ...SERVICE, speed: -1 }, /speed/],
  [{ ...SERVICE, discipline: "lifo" }, /discipline/],
  [{ ...SERVICE, for: "11m" }, /for: must be at most 10m/],
  [{ ...SERVICE, for: undefined }, /for/],
  [{ ...SERVICE, work: 1 }, /work/],
];

for (const [body, reason] of WRONG_SERVICE) {
  Deno.test(`PUT /api/service refuses ${JSON.stringify(body)}`, async () => {
    await using lab = await hurtable();
    const { status, json } = await lab.serve("PUT", body);
    assert.equal(status, 400);
    assert.match(json.error, reason);
    assert.deepEqual(lab.changes, []);
  });
}
