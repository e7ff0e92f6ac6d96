/** Recordings with damage that is drawn at random: whatever it is, the reader has an error with its place, or lines. */
import assert from "node:assert/strict";
import { createRandom, UserError } from "../../lib/base/mod.ts";
import { RecordingDamage, RecordingReader } from "../../lib/recording/mod.ts";
import { recordedLife } from "./recorded_life.ts";
import { replayOf } from "./replays.ts";
import { askedSeed, newSeed, seedOfCommit } from "./seeds.ts";

const PIECES = [
  "{",
  "}",
  '"',
  "\\",
  "\n",
  ",",
  ":",
  "null",
  "1e999",
  "-",
  "\u0000",
  "é",
  "[[[",
  '":"',
];

/**
 * Damages recordings in this many ways. Half of the seeds are new in each run; the other half depend on the commit.
 * With `LBSIM_SEED=1234` in the environment, it does what this seed means.
 */
export async function damageRecordings(times: number): Promise<void> {
  const asked = askedSeed();
  const firsts = asked === undefined ? [newSeed(), await seedOfCommit()] : [asked];
  const each = asked === undefined ? Math.ceil(times / 2) : 1;
  console.log(`damaged recordings; seeds: ${firsts.join(", ")}, and ${each - 1} after each`);
  const text = `${recordedLife(1, 80).join("\n")}\n`;
  for (const first of firsts) {
    for (let seed = first; seed < first + each; seed++) read(damaged(text, seed), `seed ${seed}`);
  }
}

function damaged(text: string, seed: number): string {
  const random = createRandom(seed);
  const draw = (count: number) => Math.floor(random.next() * count);
  let result = text;
  for (let i = draw(3); i >= 0; i--) {
    const at = draw(result.length);
    const kind = draw(4);
    if (kind === 0) result = result.slice(0, at);
    else if (kind === 1) result = result.slice(0, at) + result.slice(at + 1 + draw(40));
    else if (kind === 2) {
      result = result.slice(0, at) + PIECES[draw(PIECES.length)] + result.slice(at);
    } else {
      const lines = result.split("\n");
      const [one] = lines.splice(draw(lines.length), 1);
      if (draw(2) === 0) lines.splice(draw(lines.length), 0, one!, one!);
      result = lines.join("\n");
    }
  }
  return result;
}

/** Reads and replays the text. */
function read(text: string, what: string): void {
  let lines = 0;
  try {
    for (const _ of new RecordingReader("test", [text])) lines++;
  } catch (error) {
    assert.ok(error instanceof RecordingDamage, `${what}: ${error}`);
    const [, line, column] = /^test:(\d+):(\d+): \S/.exec(error.message) ?? [];
    const all = text.split("\n");
    assert.equal(Number(line), error.line, what);
    // The head is line 1.
    assert.ok(
      error.line === 1 || error.line === lines + 2,
      `${what}: the first damage is reported`,
    );
    const { length } = all[error.line - 1] ?? "";
    assert.ok(Number(column) >= 1 && Number(column) <= length + 1, `${what}: column ${column}`);
  }
  try {
    replayOf(text);
  } catch (error) {
    assert.ok(error instanceof UserError, `${what}: ${(error as Error).stack}`);
  }
}
