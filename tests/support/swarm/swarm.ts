/** A swarm: lives of a scheduler, each with features, weights and faults of its own. */
import { askedSeed, newSeed, seedOfCommit } from "../seeds.ts";
import { live, STEPS } from "./life.ts";

/**
 * Runs this many lives. Half of their seeds are new in each run; the other half depend on the commit. With
 * `LBSIM_SEED=1234` in the environment, it runs only the life of this seed.
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
