import assert from "node:assert/strict";
import { lbsim } from "../support/process.ts";

/** What `lbsim check` says of where sessions are kept. */
async function keeps(sticky: string): Promise<string[]> {
  const cwd = await Deno.makeTempDir();
  const text = `backends: [{id: B1, address: 10.0.0.1:80}]\n${sticky}\n`;
  await Deno.writeTextFile(`${cwd}/config.yaml`, text);
  const { stdout, stderr } = await lbsim(["check"], { cwd });
  await Deno.remove(cwd, { recursive: true });
  assert.equal(stderr, "");
  const lines = stdout.split("\n");
  const start = lines.findIndex((line) => line.startsWith("  keeps"));
  return start < 0 ? [] : lines.slice(start, start + 2).map((line) => line.trim());
}

Deno.test("lbsim check says where sessions are kept, if they outlive the process, and no password", async () => {
  const meanwhile = "and in memory only, while that is down or slow";
  assert.deepEqual(await keeps("sticky: {store: memory}"), []);
  assert.deepEqual(await keeps("sticky: {store: {sqlite: sessions.db}}"), [
    "keeps     sessions in the SQLite file sessions.db: they survive a restart",
    meanwhile,
  ]);
  const redis = "sticky: {store: {redis: 'redis://:s3cret@10.0.0.9', timeout: 5ms}}";
  assert.deepEqual(await keeps(redis), [
    "keeps     sessions in Redis at 10.0.0.9:6379, for all balancers that name it; " +
    "a client waits for it for 5ms at most",
    meanwhile,
  ]);
});
