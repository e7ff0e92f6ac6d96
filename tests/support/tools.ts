/** Programs that some tests need besides Deno. */

/** Where it is set, as in .ci/run, a missing program is a failure and not a reason to skip a test. */
const REQUIRED = "LBSIM_REQUIRE_TOOLS";

/**
 * The first of these programs that is installed; undefined if none is.
 *
 * @throws {Error} instead, where no test may be skipped for that.
 */
export function installed(...programs: readonly string[]): string | undefined {
  const found = programs.find(isInstalled);
  if (found !== undefined || (Deno.env.get(REQUIRED) ?? "") === "") return found;
  throw new Error(`${programs.join(" or ")} is not installed, and ${REQUIRED} is set`);
}

function isInstalled(program: string): boolean {
  try {
    // What it answers does not matter, nor whether it knows the flag.
    new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
