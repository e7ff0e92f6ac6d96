/** Files that are dropped on the page of the playground. */
import assert from "node:assert/strict";
import { RECORDING_MAX } from "../../../lib/recording/mod.ts";
import { DropError, readDropped } from "../../../web/playground/dropped.ts";
import { ShareError } from "../../../web/playground/share.ts";

const SCENARIO = "extends: config.yaml\nduration: 3s\n";
const CONFIG = "backends: [{id: B1, address: '127.0.0.1:1'}]\n";
const HEAD = '{"type":"recording","format":1}\n';

/** A file of this size that is never read. */
function large(name: string, size: number): File {
  return Object.defineProperty(new File(["backends"], name), "size", { value: size });
}

/** A folder as a page sees it. */
function folder(name: string): File {
  const refuse = () => {
    throw new DOMException("A requested file or directory could not be found", "NotFoundError");
  };
  return Object.assign(new File([], name), { slice: refuse, text: refuse, arrayBuffer: refuse });
}

Deno.test("readDropped() finds the scenario among the files that it names", async () => {
  const files = [new File([CONFIG], "config.yaml"), new File([SCENARIO], "mine.yml")];
  assert.deepEqual(await readDropped(files), {
    kind: "run",
    source: { file: "mine.yml", text: SCENARIO },
    files: { "config.yaml": { file: "config.yaml", text: CONFIG } },
  });
});

Deno.test("readDropped() recognises a recording by its beginning or by its name", async () => {
  for (const [name, text] of [["run.txt", HEAD], ["run.jsonl", "GET /"], ["run.jsonl.2", ""]]) {
    const dropped = await readDropped([new File([text!], name!)]);
    assert.deepEqual(dropped, { kind: "recording", parts: [{ file: name, text }] });
  }
});

const REFUSED: readonly (readonly [what: string, files: readonly File[], words: RegExp])[] = [
  ["a binary", [new File([new Uint8Array([0x89, 0x50, 0xff, 0])], "a.yaml")], /is not UTF-8 text/],
  ["a folder", [folder("examples")], /examples: cannot be read\. If it is a folder/],
  ["a huge scenario", [large("a.yaml", 2 ** 21)], /larger than 1 MB: this cannot be the right/],
  ["a huge recording", [large("a.jsonl", RECORDING_MAX + 1)], /has 65 MB, .* at most 64 MB/],
  [
    "a recording and a scenario",
    [new File([HEAD], "a.jsonl"), new File([SCENARIO], "b.yaml")],
    /b\.yaml: a recording is opened alone/,
  ],
];
for (const [what, files, words] of REFUSED) {
  Deno.test(`readDropped() refuses ${what} with a message`, async () => {
    await assert.rejects(readDropped(files), (error: Error) => {
      assert.ok(error instanceof DropError);
      assert.match(error.message, words);
      return true;
    });
  });
}

Deno.test("readDropped() refuses a damaged run of the playground with a ShareError", async () => {
  const files = [new File(["1.abc.x\n"], "mine.playground")];
  await assert.rejects(readDropped(files), ShareError);
});
