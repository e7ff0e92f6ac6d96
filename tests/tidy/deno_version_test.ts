/** All files state the same version of lbsim, and the same version of Deno: the version in `.dvmrc`. */
import assert from "node:assert/strict";
import { VERSION } from "../../lib/base/mod.ts";
import { readText, ROOT } from "./source.ts";

const PLACES = ["README.md", "CONTRIBUTING.md", "deno.json", ".ci", ".github", "docs"];

/** `deno@2.9.6`, `Deno 2.9.6`, `deno-version: v2.9.6`, `DENO_VERSION="2.9.6"`, `denoland/deno:2.9.6`. */
const MENTION = /deno(?:(?:land\/setup-deno)?@|[-_]version\W{1,4}| |:)v?(\d+\.\d+\.\d+)/gi;

function mentionsIn(text: string): string[] {
  return [...text.matchAll(MENTION)].map((match) => match[1]!);
}

/** The files at a place: the file itself, or all files of the folder. None if it does not exist. */
function filesAt(place: string): string[] {
  const url = new URL(place, ROOT);
  try {
    if (!Deno.statSync(url).isDirectory) return [place];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return [...Deno.readDirSync(url)].flatMap(({ name }) => filesAt(`${place}/${name}`));
}

Deno.test(".dvmrc has the version of Deno that all other files name", () => {
  const pinned = readText(".dvmrc")!.trim();
  assert.match(pinned, /^\d+\.\d+\.\d+$/);
  for (const file of PLACES.flatMap(filesAt)) {
    for (const version of mentionsIn(readText(file)!)) {
      assert.equal(version, pinned, `${file} names Deno ${version}, .dvmrc pins ${pinned}`);
    }
  }
});

Deno.test("README.md shows how to start the version of Deno in .dvmrc", () => {
  const readme = readText("README.md");
  if (readme === undefined) return;
  assert.ok(readme.includes(`npx -y deno@${readText(".dvmrc")!.trim()} task demo`));
});

Deno.test("mentionsIn() finds a version of Deno in each way of writing it", () => {
  for (
    const text of [
      "npx -y deno@1.2.3 task demo",
      "needs Deno 1.2.3",
      "deno-version: v1.2.3",
      'deno-version: "1.2.3"',
      "DENO_VERSION=1.2.3",
      "denoVersion: 9.9.9, DENO_VERSION: '1.2.3'",
      "image: denoland/deno:1.2.3",
    ]
  ) assert.deepEqual(mentionsIn(text), ["1.2.3"], text);
  assert.deepEqual(mentionsIn("uses: denoland/setup-deno@v2\npure-rand 8.0.0"), []);
});

Deno.test("VERSION is the version in deno.json and in the deno.json of each pure folder", () => {
  const { version, workspace } = JSON.parse(readText("deno.json")!);
  assert.equal(VERSION, version);
  for (const room of workspace) {
    assert.equal(JSON.parse(readText(`${room.slice(2)}/deno.json`)!).version, version, room);
  }
});
