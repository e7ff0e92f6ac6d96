/** A swarm: lives of a scheduler, each with features, weights and faults of its own. */
import { askedSeed, newSeed, seedOfCommit } from "../seeds.ts";
import { live, STEPS } from "./life.ts";

/**
 * Lets so many lives happen: half of them new in each run, half of them the same for each who tests this commit.
 * With `LBSIM_SEED=1234` in the environment it is the one life that this draws.
 *
 * @throws The first that fails, with its seed and all that was drawn from it.
 */
export async function swarm(lives: number): Promise<void> {
  const asked = askedSeed();
  if (asked !== undefined) return live(asked);
  const half = Math.ceil(lives / 2);
  const firsts = [newSeed(), await seedOfCommit()];
  const seeds = firsts.map((first) => `${first} to ${first + half - 1}`).join(" (new), ");
  console.log(`${lives} lives of ${STEPS} steps; seeds: ${seeds} (of this commit)`);
  for (const first of firsts) {
    for (let seed = first; seed < first + half; seed++) live(seed);
  }
}
