/** Which seeds a run of the tests is to draw from. */

/** Of this commit: all who test it draw the same. 0 if there is no commit. */
export async function seedOfCommit(): Promise<number> {
  try {
    const { stdout } = await new Deno.Command("git", { args: ["rev-parse", "HEAD"] }).output();
    const commit = new TextDecoder().decode(stdout).slice(0, 8);
    return /^[0-9a-f]{8}$/.test(commit) ? parseInt(commit, 16) : 0;
  } catch (error) {
    // A copy without its history, or a machine without git, has no commit.
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** Of this run alone. */
export function newSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/** The one seed that `LBSIM_SEED=1234` in the environment asks for. */
export function askedSeed(): number | undefined {
  const asked = Deno.env.get("LBSIM_SEED");
  return asked === undefined ? undefined : Number(asked);
}
