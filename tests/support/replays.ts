/** Replays of recordings, and of recorded lives. */
import assert from "node:assert/strict";
import {
  RecordingReader,
  Replay,
  type ReplayFlags,
  type ReplayResult,
} from "../../lib/recording/mod.ts";
import { recordedLife } from "./recorded_life.ts";
import { askedSeed, newSeed, seedOfCommit } from "./seeds.ts";

const STEPS = 600;

/** Replays the text of a recording. */
export function replayOf(text: string, flags?: ReplayFlags): ReplayResult {
  const steps = new Replay(new RecordingReader("test", [text])[Symbol.iterator](), flags).run();
  while (true) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/**
 * Replays this many random lives. Half of their seeds are new in each run; the other half depend on the commit. With
 * `LBSIM_SEED=1234` in the environment, it replays only the life of this seed.
 *
 * @throws The first that differs, with its seed.
 */
export async function replayLives(lives: number): Promise<void> {
  const asked = askedSeed();
  const firsts = asked === undefined ? [newSeed(), await seedOfCommit()] : [asked];
  const each = asked === undefined ? Math.ceil(lives / 2) : 1;
  console.log(`lives of ${STEPS} steps; seeds: ${firsts.join(", ")}, and ${each - 1} after each`);
  let picks = 0;
  for (const first of firsts) {
    for (let seed = first; seed < first + each; seed++) {
      const result = replayOf(`${recordedLife(seed, STEPS).join("\n")}\n`);
      assert.equal(result.difference, undefined, `seed ${seed}: ${JSON.stringify(result)}`);
      picks += result.picks;
    }
  }
  assert.ok(picks > 0, "there were picks to compare");
}
