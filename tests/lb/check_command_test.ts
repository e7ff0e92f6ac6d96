import assert from "node:assert/strict";
import { lbsim } from "../support/process.ts";

/** The lines of `lbsim check` about the session store. */
async function storeLines(sticky: string): Promise<string[]> {
  const cwd = await Deno.makeTempDir();
  const text = `backends: [{id: B1, address: 10.0.0.1:80}]\n${sticky}\n`;
  await Deno.writeTextFile(`${cwd}/config.yaml`, text);
  const { stdout, stderr } = await lbsim(["check"], { cwd });
  await Deno.remove(cwd, { recursive: true });
  assert.equal(stderr, "");
  const lines = stdout.split("\n");
  const start = lines.findIndex((line) => line.startsWith("  store"));
  return start < 0 ? [] : lines.slice(start, start + 2).map((line) => line.trim());
}

Deno.test("lbsim check shows the session store, if there is one, without its password", async () => {
  const meanwhile = "while the store fails or is slow, sessions are only in memory";
  assert.deepEqual(await storeLines("sticky: {store: memory}"), []);
  assert.deepEqual(await storeLines("sticky: {store: {sqlite: sessions.db}}"), [
    "store       the SQLite file sessions.db: sessions survive a restart",
    meanwhile,
  ]);
  const redis = "sticky: {store: {redis: 'redis://:s3cret@10.0.0.9', timeout: 5ms}}";
  assert.deepEqual(await storeLines(redis), [
    "store       Redis at 10.0.0.9:6379, shared by all balancers that use it; a client waits " +
    "for it for 5ms at most",
    meanwhile,
  ]);
});
