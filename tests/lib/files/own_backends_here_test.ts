import assert from "node:assert/strict";
import { isLoopback, parseAddress } from "../../../lib/base/address.ts";
import { DiagnosticsError } from "../../../lib/config/mod.ts";
import { loadConfigAndCertificates, loadListeningConfig } from "../../../lib/files/mod.ts";
import { ownBackendsHere, resolveName } from "../../../lib/files/own_backends_here.ts";
import { localAddresses } from "../../../lib/io/local_addresses.ts";

const LOCAL = ["192.0.2.2", "fd00::2"];

function endpoints(listen: string, addresses: readonly string[], port?: number) {
  const backends = addresses.map((address, i) => ({
    id: `B${i + 1}`,
    address: parseAddress(address),
  }));
  return { listen: parseAddress(listen), backends, healthCheck: { type: "tcp", port } };
}

const NAMES: Readonly<Record<string, readonly string[]>> = {
  "me.lab": ["192.0.2.2"],
  "two.lab": ["192.0.2.9", "127.0.1.1"],
  "other.lab": ["192.0.2.9"],
};

Deno.test("ownBackendsHere() finds backends that are the balancer itself, under any name of this machine", async () => {
  const asked: string[] = [];
  const resolve = (name: string) => {
    asked.push(name);
    return Promise.resolve(NAMES[name] ?? []);
  };
  const addresses = [
    ...["me.lab:80", "two.lab:80", "other.lab:80", "me.lab:81"],
    ...["gone.lab:80", "192.0.2.9:80", "192.0.2.2:80"],
  ];
  const found = await ownBackendsHere(endpoints("0.0.0.0:80", addresses), LOCAL, resolve);
  assert.deepEqual(found.map(({ path }) => path), [
    ["backends", 0, "address"],
    ["backends", 1, "address"],
    ["backends", 6, "address"],
  ]);
  // A backend on another port cannot be the balancer, so no name is looked up for it.
  assert.deepEqual(asked.toSorted(), ["gone.lab", "me.lab", "other.lab", "two.lab"]);
  assert.deepEqual(
    await ownBackendsHere(endpoints("192.0.2.2:80", ["me.lab:80"]), LOCAL, resolve),
    [{
      path: ["backends", 0, "address"],
      message:
        "backend 1 is the balancer itself, because the balancer listens on me.lab:80 (192.0.2.2:80)",
      hint:
        "the balancer would connect to itself again and again: give one of the two another port",
      follows: [["listen"]],
    }],
  );
});

Deno.test("ownBackendsHere() finds probes that arrive at the balancer", async () => {
  const resolve = () => Promise.resolve(["192.0.2.2"]);
  const probed = await ownBackendsHere(endpoints("[::]:80", ["me.lab:90"], 80), LOCAL, resolve);
  assert.deepEqual(probed.map(({ path }) => path), [["health_check", "port"]]);
  assert.deepEqual(
    await ownBackendsHere(endpoints("[::]:80", ["me.lab:90"], 81), LOCAL, resolve),
    [],
  );
});

Deno.test("loadListeningConfig() refuses a file with which the balancer would be its own backend on this machine", async () => {
  const own = localAddresses().find((address) => !address.includes(":") && !isLoopback(address));
  if (own === undefined) return; // A machine without a network.
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(
      file,
      `listen: "[::]:21004"\nbackends: [{id: B1, address: "[::ffff:${own}]:21004"}]\n`,
    );
    await assert.rejects(loadListeningConfig(file, {}, 0), (error) => {
      assert.ok(error instanceof DiagnosticsError);
      assert.equal(error.exitCode, 1);
      assert.deepEqual(error.located().map(({ line, column }) => [line, column]), [[2, 30]]);
      return true;
    });
    await loadListeningConfig(file, { listen: "127.0.0.1:21004" }, 0);
    // On another machine the file may be valid.
    await loadConfigAndCertificates(file, 0);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("resolveName() looks names up as this machine does", async () => {
  assert.ok((await resolveName("localhost")).some((ip) => ["127.0.0.1", "::1"].includes(ip)));
  assert.deepEqual(await resolveName("no-such-name.invalid"), []);
  assert.ok(localAddresses().includes("127.0.0.1"));
});
