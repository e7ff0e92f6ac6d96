/** Faults of a backend, requested through the balancer, because a page can send requests to one origin only. */
import assert from "node:assert/strict";
import FakeTimers from "@sinonjs/fake-timers";
import { backendAdminSettings, startBackendAdmin } from "../../../backend/mod.ts";
import { parseAddress } from "../../../lib/base/mod.ts";
import { monotonicNow } from "../../../lib/io/mod.ts";
import { BackendFaultsForwarder } from "../../../lb/admin/backend_faults.ts";
import { configOf } from "../../support/config.ts";
import { strictEventStream } from "../../support/events.ts";
import { hurtableLab } from "../../support/hurtable.ts";
import { ask, eventually, freePort } from "../../support/sockets.ts";

const PATH = "/api/backends/B1/fault";

Deno.test("PUT /api/backends/{id}/fault begins a fault, which the status and the events show", async () => {
  await using one = await hurtableLab();
  assert.deepEqual(await one.fault(), [null, undefined]);
  const { status, json } = await one.change("PUT", PATH, { kind: { slow: 5 }, for: "30s" });
  assert.equal(status, 200);
  assert.equal(json.faults[0].fault, "slow 5x");
  assert.deepEqual(await one.fault(), ["slow 5x", undefined]);
  assert.equal((await one.lab.get(PATH)).json.faults.length, 1);
  await one.change("PUT", PATH, { kind: "refuse" });
  assert.deepEqual(await one.fault(), ["slow 5x, refuse", undefined]);
  await assert.rejects(ask(one.address, "hi\n"), Deno.errors.ConnectionRefused);
  assert.deepEqual((await one.change("DELETE", PATH)).json, { backend: "B1", faults: [] });
  assert.deepEqual(await one.fault(), [null, undefined]);
  assert.deepEqual(one.events.map(({ type, fault }) => [type, fault]), [
    ["backend_fault_began", "slow 5x"],
    ["backend_fault_began", "refuse"],
    ["backend_fault_ended", "slow 5x"],
    ["backend_fault_ended", "refuse"],
  ]);
});

Deno.test("the end of a fault that ends by itself is reported, and the status does not show the fault any more", async () => {
  await using one = await hurtableLab();
  await one.change("PUT", PATH, { kind: "pause", for: "50ms" });
  await eventually(() => one.events.length === 2, "the end is reported");
  assert.deepEqual(await one.fault(), [null, undefined]);
});

Deno.test("GET /api/backends/{id}/fault also shows a fault that was begun without the balancer", async () => {
  await using one = await hurtableLab();
  await one.faults.begin({ name: "pause" });
  assert.equal((await one.lab.get(PATH)).json.faults[0].kind, "pause");
  assert.deepEqual(await one.fault(), ["pause", undefined]);
  await one.faults.end();
  await one.lab.get(PATH);
  assert.deepEqual(await one.fault(), [null, undefined]);
});

Deno.test("the balancer notices when a fault begins or ends at the backend itself, although no client asks its API", async () => {
  await using one = await hurtableLab();
  await one.faults.begin({ name: "pause" });
  await eventually(() => one.events.length === 1, "its beginning is reported");
  assert.deepEqual(await one.fault(), ["pause", undefined]);
  await one.faults.end();
  await eventually(() => one.events.length === 2, "its end is reported");
  assert.deepEqual(await one.fault(), [null, undefined]);
  assert.deepEqual(one.events.map(({ type, backend, fault }) => [type, backend, fault]), [
    ["backend_fault_began", "B1", "pause"],
    ["backend_fault_ended", "B1", "pause"],
  ]);
});

Deno.test("BackendFaultsForwarder sets no timer if no backend has an admin API", () => {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
  const events = strictEventStream();
  const [backend] = configOf([{ host: "127.0.0.1", port: 9 }]).backends;
  let backends = [backend!];
  const forwarder = new BackendFaultsForwarder({
    ...{ admin: { hosts: [] }, token: undefined, events, now: monotonicNow },
    backends: () => backends,
  });
  try {
    assert.equal(clock.countTimers(), 0);
    backends = [{ ...backend!, admin: { host: "127.0.0.1", port: freePort() } }];
    events.emit({ type: "config_reloaded", at_ms: 1, changes: [], ignored: [] });
    assert.equal(clock.countTimers(), 1);
  } finally {
    forwarder.stop();
    clock.uninstall();
  }
});

Deno.test("/api/backends/{id}/fault says why a backend cannot have a fault", async () => {
  await using one = await hurtableLab();
  const put = (id: string, body: unknown = { kind: "hang" }) =>
    one.change("PUT", `/api/backends/${id}/fault`, body);
  const noApi = await put("B2");
  assert.deepEqual([noApi.status, /no `admin` address/.test(noApi.json.error)], [409, true]);
  assert.equal((await put("B9")).status, 404);
  const wrong = await put("B1", { kind: "explode" });
  assert.deepEqual([wrong.status, /kind/.test(wrong.json.error)], [400, true]);
  // Without the token, no request is passed on.
  assert.equal((await one.lab.change("PUT", PATH, { kind: "hang" }, "wrong")).status, 401);
  assert.deepEqual(one.faults.active, []);
  await one.api.stop();
  const gone = await put("B1");
  assert.equal(gone.status, 502);
  assert.match(
    gone.json.error,
    /^B1: no backend answers at 127\.0\.0\.1:\d+: nothing listens there$/,
  );
});

Deno.test("/api/backends/{id}/fault refuses a backend that has another id", async () => {
  await using one = await hurtableLab({ id: "B7" });
  const { status, json } = await one.change("PUT", PATH, { kind: "pause" });
  assert.equal(status, 502);
  assert.match(json.error, /is not B1, but B7$/);
});

Deno.test("/api/backends/{id}/fault says that the token files differ", async () => {
  await using one = await hurtableLab();
  const { host, port } = parseAddress(new URL(one.api.url).host);
  await one.api.stop();
  const other = `${one.tokenFile}.other`;
  await Deno.writeTextFile(other, "another-token-of-some-length");
  const settings = backendAdminSettings({ host, port }, { hosts: [], tokenFile: other })!;
  const api = await startBackendAdmin(one.faults, settings, () => {});
  try {
    const { status, json } = await one.change("PUT", PATH, { kind: "hang" });
    assert.equal(status, 502);
    assert.match(json.error, /^B1: the backend refuses the token in .*must be the same$/);
  } finally {
    await api.stop();
  }
});
