import assert from "node:assert/strict";
import { abortable, ask, echo, TestServer } from "../support/sockets.ts";
import { writeConfig } from "../support/folder.ts";
import { addressOf, RunningLbsim } from "../support/process.ts";
import { parseAddress } from "../../lib/base/address.ts";

/** Connects and resets while the process is stopped. When it runs again, it accepts connections that are reset. */
async function resetBeforeAccept(process: RunningLbsim, address: string): Promise<void> {
  process.kill("SIGSTOP");
  for (let i = 0; i < 50; i++) {
    const client = await abortable(parseAddress(address));
    client.resetAndDestroy();
  }
  process.kill("SIGCONT");
}

Deno.test({
  name:
    "lbsim lb does not treat clients that reset before they are accepted as a shortage of this machine",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using backend = new TestServer(echo);
    const directory = await Deno.makeTempDir();
    try {
      await writeConfig(
        directory,
        `127.0.0.1:${backend.address.port}`,
        `log: {format: json}
`,
      );
      await using lb = new RunningLbsim(["lb"], { cwd: directory });
      const address = await addressOf(lb);
      await resetBeforeAccept(lb, address);
      assert.equal(await ask(parseAddress(address), "hello"), "hello");
      lb.kill("SIGTERM");
      assert.equal(await lb.ended(), 0);
      const paused = lb.records.filter(({ event }) => String(event).startsWith("shortage_"));
      assert.deepEqual(paused, [], "this machine was short of nothing");
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "lbsim backend serves the next client after some that reset before they are accepted",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using backend = new RunningLbsim(["backend", "127.0.0.1:0", "--id", "B1"]);
    const address = await addressOf(backend);
    await resetBeforeAccept(backend, address);
    assert.equal(await ask(parseAddress(address), "hello\n"), "Hello from B1: hello\n");
  },
});
