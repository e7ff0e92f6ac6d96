import assert from "node:assert/strict";
import { readRoute, runAddress, type SharedRun } from "../../../web/playground/address.ts";
import { decodeShare, encodeShare, ShareError } from "../../../web/playground/share.ts";

const RUN: SharedRun = {
  source: { file: "größe.yaml", text: "balancer: {backends: 3}\n".repeat(50) },
  files: { "config.yaml": { file: "config.yaml", text: "listen: 127.0.0.1:1" } },
  at_ms: 12_345.678,
  speed: 0,
  variant: 1,
};

Deno.test("readRoute() reads what runAddress() wrote, and the address is short", async () => {
  const address = await runAddress(RUN);
  assert.match(address, /^#s=1\.[\w-]+\.\w+$/);
  assert.ok(address.length < 400, `${address.length} characters`);
  assert.deepEqual(await readRoute(address), { kind: "shared", run: RUN });
});

Deno.test("readRoute() knows the examples, the lessons and the start", async () => {
  assert.deepEqual(await readRoute(""), { kind: "start" });
  assert.deepEqual(await readRoute("#given"), { kind: "given" });
  assert.deepEqual(await readRoute("#example=two-choices"), {
    kind: "example",
    name: "two-choices",
  });
  assert.deepEqual(await readRoute("#lesson=3.1"), { kind: "lesson", number: 3, change: 1 });
});

const DAMAGED: readonly string[] = [
  "#s=",
  "#s=1.",
  "#s=1.!!",
  "#s=1.AAAA",
  "#s=zz",
  "#example=../etc",
  "#lesson=x",
  "#nothing",
];

for (const hash of DAMAGED) {
  Deno.test(`readRoute() refuses ${hash} as damaged`, async () => {
    await assert.rejects(readRoute(hash), (error: Error) => {
      assert.ok(error instanceof ShareError);
      assert.match(error.message, /damaged/);
      return true;
    });
  });
}

Deno.test("readRoute() refuses an address of which a part is missing", async () => {
  const address = await runAddress(RUN);
  for (const length of [10, 40, address.length - 9, address.length - 1]) {
    await assert.rejects(readRoute(address.slice(0, length)), /damaged/);
  }
});

Deno.test("readRoute() refuses a state that is no run", async () => {
  for (const state of [null, 7, [], {}, { ...RUN, at_ms: -1 }, { ...RUN, source: "x" }]) {
    await assert.rejects(readRoute(`#s=${await encodeShare(state)}`), /no run of the playground/);
  }
});

Deno.test("decodeShare() refuses a newer version, and names both versions", async () => {
  const newer = (await encodeShare(RUN)).replace(/^1\./, "2.");
  await assert.rejects(
    decodeShare(newer),
    /newer playground: its format is 2, and this page reads 1/,
  );
});

Deno.test("decodeShare() does not fill the memory with a small address", async () => {
  const bomb = await encodeShare("x".repeat(5 * 1024 * 1024));
  assert.ok(bomb.length < 10_000);
  await assert.rejects(decodeShare(bomb), /more than 4 MB/);
});
