/** The admin API of `lbsim lb`, as a user starts it: with its permissions, its log and its files. */
import assert from "node:assert/strict";
import { ask } from "../support/admin.ts";
import { RunningLbsim } from "../support/process.ts";

const CONFIG = `listen: 127.0.0.1:0
backends: [{id: B1, address: 127.0.0.1:9}]
health_check: {type: none}
admin: {listen: 127.0.0.1:0, token_file: admin.token}
log: {level: debug}
`;

Deno.test("lbsim lb: the token is in no log; a wish survives a reload and is logged", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "lbsim-admin-" });
  try {
    await Deno.writeTextFile(`${cwd}/config.yaml`, CONFIG);
    await using lb = new RunningLbsim(["lb"], { cwd });
    await lb.line((line) => line.includes('"admin_listening"'));
    const { url } = lb.records.find(({ event }) => event === "admin_listening")!;
    const token = (await Deno.readTextFile(`${cwd}/admin.token`)).trim();
    const change = (query: string, authorization: string) =>
      ask(`${url}/api/backends/B1/state${query}`, {
        method: "PUT",
        headers: { "Content-Type": "application/json", "Authorization": authorization },
        body: '{"state":"drain"}',
      });
    assert.equal((await change(`?token=${token}`, `Basic ${token}`)).status, 401);
    assert.equal((await change("", `Bearer ${token}x`)).status, 401);
    assert.equal((await change("", `Bearer ${token}`)).status, 200);
    await lb.line((line) => line.includes('"wishes_changed"'));

    await Deno.writeTextFile(`${cwd}/config.yaml`, `${CONFIG}retries: 7\n`);
    const reloaded = await lb.line((line) => line.includes('"config_reloaded"'));
    const { message, changes, wishes } = JSON.parse(reloaded);
    assert.deepEqual(changes, ["retries: 3 → 7"]);
    assert.deepEqual(wishes, ["B1.mode: ready → drain"]);
    assert.match(message, /B1\.mode: ready → drain$/);
    const { json } = await ask(`${url}/api/status`);
    assert.deepEqual(json.active_servers, []);

    // An invalid file: the answer says why it was rejected, and the configuration stays.
    await Deno.writeTextFile(`${cwd}/config.yaml`, `${CONFIG}retires: 7\n`);
    const { status, json: refused } = await ask(`${url}/api/reload`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Authorization": `Bearer ${token}` },
      body: "{}",
    });
    assert.equal(status, 409);
    assert.match(refused.error, /retires/);

    lb.kill();
    assert.equal(await lb.ended(), 0);
    assert.equal(lb.lines.some((line) => line.includes(token)), false);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("lbsim lb: a configured port of the admin API that is in use is an error", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "lbsim-admin-" });
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const { port } = taken.addr as Deno.NetAddr;
    const text = CONFIG.replace("{listen: 127.0.0.1:0,", `{listen: 127.0.0.1:${port},`);
    await Deno.writeTextFile(`${cwd}/config.yaml`, text);
    await using lb = new RunningLbsim(["lb"], { cwd });
    assert.equal(await lb.ended(), 1);
    // The log and the message are in two streams, and either of them may come last.
    const message = `lbsim: the admin API cannot listen on 127.0.0.1:${port}: it is in use`;
    assert.ok(lb.lines.includes(message), lb.lines.join("\n"));
  } finally {
    taken.close();
    await Deno.remove(cwd, { recursive: true });
  }
});
