import assert from "node:assert/strict";
import { UserError } from "../../../lib/base/mod.ts";
import { RecordingFile } from "../../../lb/recording/recording_file.ts";
import { inFolder } from "../../support/folder.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const head = (part: number) => bytes(`{"type":"recording","part":${part}}\n`);
/** As long as two heads. */
const LINE = `${"x".repeat(57)}\n`;

async function contents(folder: string): Promise<Record<string, string>> {
  const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  return Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, await Deno.readTextFile(`${folder}/${name}`)]),
    ),
  );
}

Deno.test("RecordingFile begins a new file before the present one gets too large, and deletes the oldest", () =>
  inFolder(async (folder) => {
    const path = `${folder}/run.jsonl`;
    const file = await RecordingFile.create(path, { maxBytes: 100, files: 3 }, head);
    for (const letter of ["a", "b", "c", "d"]) {
      await file.write(bytes(LINE.replaceAll("x", letter)));
    }
    file.close();
    const found = await contents(folder);
    assert.deepEqual(Object.keys(found), ["run.jsonl", "run.jsonl.1", "run.jsonl.2"]);
    for (const [name, part, letter] of [["", 4, "d"], [".1", 3, "c"], [".2", 2, "b"]] as const) {
      const text = found[`run.jsonl${name}`]!;
      assert.equal(text, `{"type":"recording","part":${part}}\n${LINE.replaceAll("x", letter)}`);
    }
  }));

Deno.test("RecordingFile with `files` 1 keeps only the newest file, even if its line is larger than `maxBytes`", () =>
  inFolder(async (folder) => {
    const path = `${folder}/run.jsonl`;
    const file = await RecordingFile.create(path, { maxBytes: 50, files: 1 }, head);
    await file.write(bytes(LINE));
    await file.write(bytes(LINE));
    file.close();
    const found = await contents(folder);
    assert.deepEqual(found, { "run.jsonl": `{"type":"recording","part":2}\n${LINE}` });
  }));

Deno.test("RecordingFile keeps an earlier recording, and changes no file that is not a recording", () =>
  inFolder(async (folder) => {
    const path = `${folder}/run.jsonl`;
    const bounds = { maxBytes: 1000, files: 2 };
    (await RecordingFile.create(path, bounds, head)).close();
    (await RecordingFile.create(path, bounds, () => bytes('{"type":"recording"}\n'))).close();
    const before = {
      "run.jsonl": '{"type":"recording"}\n',
      "run.jsonl.1": '{"type":"recording","part":1}\n',
    };
    assert.deepEqual(await contents(folder), before);
    const other = `${folder}/notes.txt`;
    await Deno.writeTextFile(other, "my notes");
    const refused = (error: unknown) =>
      error instanceof UserError && error.exitCode === 2 &&
      /is not a recording/.test(error.message);
    await assert.rejects(RecordingFile.create(other, bounds, head), refused);
    await assert.rejects(RecordingFile.create(folder, bounds, head), /it is a directory/);
    await assert.rejects(
      RecordingFile.create(`${folder}/none/run.jsonl`, bounds, head),
      /its directory does not exist/,
    );
    assert.deepEqual(await contents(folder), { ...before, "notes.txt": "my notes" });
  }));

/** While `isFull` returns true, each write to a file writes only half of the bytes and fails, as on a full disk. */
function fullDisk(isFull: () => boolean): Disposable {
  const { write } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.write = async function (bytes) {
    if (!isFull()) return await write.call(this, bytes);
    await write.call(this, bytes.subarray(0, bytes.length / 2));
    throw new Error("No space left on device (os error 28)");
  };
  return { [Symbol.dispose]: () => void (Deno.FsFile.prototype.write = write) };
}

Deno.test("RecordingFile has only whole lines, and a head in each file, after the disk was full at any point", () =>
  inFolder(async (folder) => {
    const path = `${folder}/run.jsonl`;
    let full = false;
    using _ = fullDisk(() => full);
    const file = await RecordingFile.create(path, { maxBytes: 100, files: 3 }, head);
    const line = (letter: string) => bytes(LINE.replaceAll("x", letter));
    const fails = async (letter: string) => {
      full = true;
      await assert.rejects(file.write(line(letter)), /No space left/);
      full = false;
    };
    await fails("a");
    await file.write(line("b"));
    // The head of the next file cannot be written, twice in a row.
    await fails("c");
    await fails("d");
    await file.write(line("e"));
    file.close();
    assert.deepEqual(await contents(folder), {
      "run.jsonl": `{"type":"recording","part":2}\n${LINE.replaceAll("x", "e")}`,
      "run.jsonl.1": `{"type":"recording","part":1}\n${LINE.replaceAll("x", "b")}`,
    });
  }));

Deno.test("RecordingFile.create() says that the disk is full, and leaves no file open", () =>
  inFolder(async (folder) => {
    using _ = fullDisk(() => true);
    const create = RecordingFile.create(`${folder}/run.jsonl`, { maxBytes: 100, files: 3 }, head);
    await assert.rejects(create, (error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /^--record .*: .*no space left/i);
      return true;
    });
  }));

Deno.test("RecordingFile continues after its folder was missing for a while, and no earlier file is lost", () =>
  inFolder(async (folder) => {
    const place = `${folder}/place`;
    await Deno.mkdir(place);
    const file = await RecordingFile.create(`${place}/run`, { maxBytes: 100, files: 3 }, head);
    for (const letter of ["a", "b"]) await file.write(bytes(LINE.replaceAll("x", letter)));
    await Deno.rename(place, `${folder}/away`);
    for (let i = 0; i < 3; i++) await assert.rejects(file.write(bytes(LINE)), Deno.errors.NotFound);
    await Deno.rename(`${folder}/away`, place);
    await file.write(bytes(LINE.replaceAll("x", "c")));
    file.close();
    const found = Object.values(await contents(place)).map((text) => text.at(-2));
    assert.deepEqual(found, ["c", "b", "a"]);
  }));
