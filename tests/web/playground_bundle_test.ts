import assert from "node:assert/strict";
import { PLAYGROUND_POLICY, playgroundAsset } from "../../web/mod.ts";
import { PLAYGROUND } from "../../web/playground_assets.ts";
import { playgroundFiles, playgroundModule } from "../../web/playground_bundle.ts";
import { readText } from "../tidy/source.ts";

/** A first load has at most this many bytes, compressed. */
const FIRST_LOAD_BYTES_MAX = 300_000;

async function compressedBytes(text: string): Promise<number> {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(packed).bytes()).length;
}

Deno.test("web/playground_assets.ts is up to date: run `deno task playground`", async () => {
  assert.ok(
    await playgroundModule() === readText("web/playground_assets.ts"),
    "the file differs from the bundle of the present sources",
  );
});

Deno.test("a first load of the playground has at most 300 KB, compressed", async () => {
  const sizes = await Promise.all(
    Object.entries(await playgroundFiles()).map(async ([name, { body }]) =>
      [name, await compressedBytes(body)] as const
    ),
  );
  const sum = sizes.reduce((bytes, [, one]) => bytes + one, 0);
  assert.ok(sum <= FIRST_LOAD_BYTES_MAX, `${sum}: ${JSON.stringify(Object.fromEntries(sizes))}`);
});

Deno.test("the playground's scripts contain no part of deno.json, so that changes there do not change the scripts", () => {
  for (const name of Object.keys(PLAYGROUND).filter((name) => name.endsWith(".js"))) {
    assert.doesNotMatch(PLAYGROUND[name]!.body, /@lbsim|compilerOptions/, name);
  }
});

Deno.test("the playground has neither inline script nor inline style, and only relative addresses", async () => {
  const { body } = (await playgroundAsset(""))!;
  assert.doesNotMatch(body, /<style|style=|<script(?![^>]*src=)|\son\w+=/);
  assert.doesNotMatch(body, /(?:href|src)="(?:\/|https?:)/);
  assert.doesNotMatch(PLAYGROUND_POLICY, /unsafe|\*|https?:/);
  assert.doesNotMatch((await playgroundAsset("playground.css"))!.body, /https?:\/\/|url\(/);
});

Deno.test("playgroundAsset() returns undefined for other names", async () => {
  for (const name of ["/", "worker.ts", "toString", "__proto__", "../mod.ts"]) {
    assert.equal(await playgroundAsset(name), undefined, name);
  }
});
