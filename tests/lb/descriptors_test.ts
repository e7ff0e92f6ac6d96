import assert from "node:assert/strict";
import { writeConfig } from "../support/folder.ts";
import { RunningLbsim } from "../support/process.ts";
import { echo, eventually, TestServer } from "../support/sockets.ts";

Deno.test({
  name:
    "lbsim lb without free file descriptors logs this once, continues to probe, and later accepts clients again",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using backend = new TestServer(echo);
    const directory = await Deno.makeTempDir();
    const clients: Deno.TcpConn[] = [];
    try {
      await writeConfig(
        directory,
        `localhost:${backend.address.port}`,
        `health_check: {interval: 1s, timeout: 1s, fall: 1000}
timeouts: {connect: 20s, drain: 100ms}
log: {connections: false, level: debug}
`,
      );
      await using lb = new RunningLbsim(["lb"], {
        cwd: directory,
        // Deno itself needs about sixty; the rest is enough for a few dozen connections.
        prefix: ["sh", "-c", 'ulimit -n 128; exec "$@"', "sh"],
      });
      const line = await lb.line((text) => text.includes("listening on 127"));
      const port = Number(/listening on 127\.0\.0\.1:(\d+)/.exec(line)![1]);

      const warning = lb.records.find(({ event }) => event === "descriptor_warning");
      assert.match(
        String(warning?.message),
        /^limits\.connections: 1000 needs 2000 file descriptors/,
      );

      // Twice as many as the balancer can accept: the others wait in the listener's queue.
      for (let i = 0; i < 100; i++) {
        clients.push(await Deno.connect({ hostname: "127.0.0.1", port }));
      }
      await lb.line((text) => text.includes("shortage_began"));

      // Probes continue, although each needs a lookup of the name and a connect.
      const probes = () => lb.records.filter(({ event }) => event === "probe").length;
      const before = probes();
      await eventually(() => probes() >= before + 5, "the backend is probed");

      for (const client of clients.splice(0, 90)) client.close();
      await lb.line((text) => text.includes("shortage_ended"));
      // All clients that waited are served now.
      for (const client of clients) {
        await client.write(new Uint8Array([7]));
        const buffer = new Uint8Array(1);
        assert.equal(await client.read(buffer), 1);
        assert.equal(buffer[0], 7);
      }
      const paused = lb.records.filter(({ event }) => event === "shortage_began");
      assert.equal(paused.length, 1, "said once");
      assert.match(String(paused[0]!.message), /ulimit -n/);
      const blamed = ["backend_down", "connect_failed", "connection_refused"];
      assert.deepEqual(lb.records.filter(({ event }) => blamed.includes(String(event))), []);
      assert.ok(!lb.lines.some((text) => text.includes("defect")));
      lb.kill("SIGTERM");
      assert.equal(await lb.ended(), 0);
    } finally {
      for (const client of clients) client.close();
      await Deno.remove(directory, { recursive: true });
    }
  },
});
