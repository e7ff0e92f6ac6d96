import assert from "node:assert/strict";
import { algorithmNamed } from "../../../lib/config/mod.ts";
import { ALGORITHM_NAMES, REPLAY_TYPES } from "../../../lib/core/mod.ts";
import { monotonicNow } from "../../../lib/io/mod.ts";
import { logger } from "../../../lib/cli/mod.ts";
import { Balancer } from "../../../lb/balancer.ts";
import { Recorder } from "../../../lb/recording/mod.ts";
import { configOf, STICKY } from "../../support/config.ts";
import { strictEventStream } from "../../support/events.ts";
import { inFolder } from "../../support/folder.ts";
import { replayOf } from "../../support/replays.ts";
import { deadAddress, echo, TestServer } from "../../support/sockets.ts";
import { TIMEOUTS } from "../../support/balance.ts";

const MB = 1024 * 1024;

for (const name of ALGORITHM_NAMES) {
  Deno.test(`Recorder writes what Replay needs to pick as ${name} did`, () =>
    inFolder(async (folder) => {
      const file = `${folder}/run.jsonl`;
      const events = strictEventStream();
      const options = { events, now: monotonicNow, log: logger("test") };
      const recorder = await Recorder.start({ ...options, file, maxBytes: MB, files: 2 });
      await using one = new TestServer(echo);
      await using two = new TestServer(echo);
      const config = configOf([one.address, deadAddress(), two.address], {
        algorithm: algorithmNamed(name),
        timeouts: TIMEOUTS,
        healthCheck: { ...configOf([]).healthCheck, type: "none" },
      });
      const balancer = await Balancer.start(config, { ...options, seed: 7 });
      await talk(balancer, 12);
      await balancer.reload({ ...config, sticky: STICKY });
      await talk(balancer, 6);
      await balancer.stop();
      await recorder.stop();
      assert.ok(REPLAY_TYPES.every((type) => !events.wanted[type]), "it reads no more events");

      const text = await Deno.readTextFile(file);
      const result = replayOf(text);
      assert.equal(result.difference, undefined, JSON.stringify(result));
      assert.ok(result.picks >= 18, `${result.picks} picks`);
      assert.equal(result.dropped, undefined);
      assert.equal(result.lines, text.trimEnd().split("\n").length - 1, "it was read to its end");
      if (Deno.build.os !== "windows") {
        assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
      }
    }));
}

/** So many clients say something, some of them at once, and get it back. */
async function talk({ address }: Balancer, clients: number): Promise<void> {
  await Promise.all(Array.from({ length: clients }, async () => {
    using client = await Deno.connect({ hostname: address.host, port: address.port });
    await client.write(new TextEncoder().encode("hi"));
    await client.read(new Uint8Array(8));
  }));
}
