import assert from "node:assert/strict";
import type { Logger, LogRecord } from "@logtape/logtape";
import { algorithmNamed } from "../../../lib/config/mod.ts";
import { ALGORITHM_NAMES, type EventStream, REPLAY_TYPES } from "../../../lib/core/mod.ts";
import { RecordingReader } from "../../../lib/recording/mod.ts";
import { monotonicNow } from "../../../lib/io/mod.ts";
import { logger } from "../../../lib/cli/mod.ts";
import { Balancer } from "../../../lb/balancer.ts";
import { Recorder } from "../../../lb/recording/mod.ts";
import { configOf, STICKY } from "../../support/config.ts";
import { strictEventStream } from "../../support/events.ts";
import { inFolder } from "../../support/folder.ts";
import { replayOf } from "../../support/replays.ts";
import { deadAddress, echo, eventually, TestServer } from "../../support/sockets.ts";
import { TIMEOUTS } from "../../support/balance.ts";

const MB = 1024 * 1024;

for (const name of ALGORITHM_NAMES) {
  Deno.test(`Recorder writes all that Replay needs to repeat the picks of ${name}`, () =>
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

/** This many clients each send a line, some of them at the same time, and get it back. */
async function talk({ address }: Balancer, clients: number): Promise<void> {
  await Promise.all(Array.from({ length: clients }, async () => {
    using client = await Deno.connect({ hostname: address.host, port: address.port });
    await client.write(new TextEncoder().encode("hi"));
    await client.read(new Uint8Array(8));
  }));
}

/** Emits this many probes. */
function probe(events: EventStream, from: number, count: number): void {
  for (let at_ms = from; at_ms < from + count; at_ms++) {
    events.emit({ type: "probe", at_ms, backend: "B1", ok: true, probe_ms: 1, streak: 1 });
  }
}

/** For each line of a recording after its head: the time of the probe, or the number of missing lines. */
async function recorded(file: string): Promise<(number | string)[]> {
  const text = await Deno.readTextFile(file);
  return [...new RecordingReader(file, [text])].map(({ event }) => {
    if (event.type === "lines_dropped") return `${event.count} missing`;
    return event.type === "probe" ? event.at_ms : event.type;
  });
}

Deno.test("Recorder drops the oldest lines if the disk is slow, and the recording contains their number", () =>
  inFolder(async (folder) => {
    const file = `${folder}/run.jsonl`;
    const events = strictEventStream();
    const recorder = await Recorder.start({
      ...{ events, now: monotonicNow, log: logger("test"), file, maxBytes: MB, files: 2 },
      waitingMax: 1000,
    });
    const { write } = Deno.FsFile.prototype;
    const { promise: isFast, resolve: letGo } = Promise.withResolvers<void>();
    const { promise: isWriting, resolve: begin } = Promise.withResolvers<void>();
    Deno.FsFile.prototype.write = async function (bytes) {
      begin();
      await isFast;
      return await write.call(this, bytes);
    };
    try {
      probe(events, 0, 3);
      await isWriting;
      probe(events, 3, 100);
      letGo();
      await recorder.stop();
    } finally {
      Deno.FsFile.prototype.write = write;
    }
    const lines = await recorded(file);
    const missing = Number(/^(\d+) missing$/.exec(String(lines[3]))?.[1]);
    assert.ok(missing > 80, `${lines}`);
    const last = Array.from({ length: 100 - missing }, (_, i) => 3 + missing + i);
    assert.deepEqual(lines, [0, 1, 2, `${missing} missing`, ...last, "recording_ended"]);
  }));

Deno.test("Recorder continues when a full disk has room again, and counts each missing line once", () =>
  inFolder(async (folder) => {
    const file = `${folder}/run.jsonl`;
    const events = strictEventStream();
    const said: string[] = [];
    const log = {
      category: ["test"],
      isEnabledFor: () => true,
      emit: ({ message }: LogRecord) => said.push(message.join("")),
    } as unknown as Logger;
    const recorder = await Recorder.start({
      ...{ events, now: monotonicNow, log, file, maxBytes: MB, files: 2 },
    });
    const { write } = Deno.FsFile.prototype;
    let failures = 0;
    Deno.FsFile.prototype.write = async function (bytes) {
      if (failures === 2) return await write.call(this, bytes);
      failures++;
      await write.call(this, bytes.subarray(0, 10));
      throw new Error("No space left on device (os error 28)");
    };
    try {
      probe(events, 0, 3);
      await eventually(() => failures === 1, "the disk is full");
      probe(events, 3, 2);
      await eventually(() => failures === 2, "the disk is full again");
      await recorder.stop();
    } finally {
      Deno.FsFile.prototype.write = write;
    }
    assert.deepEqual(await recorded(file), ["5 missing", "recording_ended"]);
    assert.match(said[0]!, /cannot be written \(no space left.*\); trying again every second/i);
    assert.match(said[1]!, /lacks 5 lines/);
    assert.equal(said.length, 2);
  }));
