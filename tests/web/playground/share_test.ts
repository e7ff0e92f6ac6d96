import assert from "node:assert/strict";
import { createRandom } from "../../../lib/base/mod.ts";
import { askedSeed, newSeed, seedOfCommit } from "../../support/seeds.ts";
import {
  readRoute,
  runOfText,
  type SharedRun,
  writtenRun,
} from "../../../web/playground/address.ts";
import { decodeShare, encodeShare, ShareError } from "../../../web/playground/share.ts";

const RUN: SharedRun = {
  source: { file: "größe.yaml", text: "balancer: {backends: 3}\n".repeat(50) },
  files: { "config.yaml": { file: "config.yaml", text: "listen: 127.0.0.1:1" } },
  at_ms: 12_345.678,
  speed: 0,
  variant: 1,
};

/** The address that contains a run. */
async function runAddress(run: SharedRun): Promise<string> {
  const written = await writtenRun(run);
  assert.ok("hash" in written);
  return written.hash;
}

Deno.test("readRoute() reads what writtenRun() wrote, and the address is short", async () => {
  const address = await runAddress(RUN);
  assert.match(address, /^#s=1\.[\w-]+\.\w+$/);
  assert.ok(address.length < 400, `${address.length} characters`);
  assert.deepEqual(await readRoute(address), { kind: "shared", run: RUN });
});

Deno.test("readRoute() reads the addresses of examples, of lessons and of the start page", async () => {
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

Deno.test("readRoute() refuses a state that is not a run", async () => {
  for (const state of [null, 7, [], {}, { ...RUN, at_ms: -1 }, { ...RUN, source: "x" }]) {
    await assert.rejects(
      readRoute(`#s=${await encodeShare(state)}`),
      /does not contain a run of the playground/,
    );
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

Deno.test("writtenRun() returns a file if a run does not fit into an address, and runOfText() reads the file", async () => {
  const random = createRandom(1);
  // This text cannot be compressed.
  const text = Array.from({ length: 200_000 }, () => Math.floor(10 * random.next())).join("");
  const recording = [{ file: "run.jsonl", text }];
  const written = await writtenRun({ ...RUN, recording });
  assert.ok("file" in written);
  const read = await runOfText(written.file, "the file", 1e9);
  assert.deepEqual(read.recording, recording);
  await assert.rejects(
    runOfText(written.file.slice(1, -1), "the file"),
    /^Error: the file is damaged/,
  );
  // A long text that compresses well would be too long after it is read from an address.
  const long = await writtenRun({ ...RUN, recording: [{ file: "a", text: "a".repeat(5e6) }] });
  assert.ok("file" in long);
});

const DAMAGES = 400;
const CHARACTERS = "AZaz09-_.=%#é \n";

Deno.test("readRoute() of an address that is damaged anywhere throws a ShareError, or returns the run", async () => {
  const asked = askedSeed();
  const seeds = asked === undefined ? [newSeed(), await seedOfCommit()] : [asked];
  console.log(`damaged addresses; seeds: ${seeds.join(", ")}`);
  const address = await runAddress(RUN);
  for (const seed of seeds) {
    const random = createRandom(seed);
    const draw = (count: number) => Math.floor(random.next() * count);
    for (let i = 0; i < DAMAGES; i++) {
      let text = address;
      for (let n = draw(3); n >= 0; n--) {
        const at = draw(text.length);
        const kind = draw(3);
        const character = CHARACTERS[draw(CHARACTERS.length)]!;
        if (kind === 0) text = text.slice(0, at);
        else if (kind === 1) text = text.slice(0, at) + text.slice(at + 1 + draw(9));
        else text = text.slice(0, at) + character + text.slice(at + draw(2));
      }
      try {
        const route = await readRoute(text);
        assert.ok(
          route.kind !== "shared" || JSON.stringify(route.run) === JSON.stringify(RUN),
          text,
        );
      } catch (error) {
        assert.ok(error instanceof ShareError, `seed ${seed}: ${text}: ${error}`);
      }
    }
  }
});
