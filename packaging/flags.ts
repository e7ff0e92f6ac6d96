import deno from "../deno.json" with { type: "json" };

/**
 * The flags with which lbsim runs: those of the task `lbsim:run`. Every build has the same flags, so
 * a binary has the same permissions as a checkout, and is as fast. Deno never asks for a permission:
 * an access that was not granted, or was given up, fails. `--allow-write=/` can be narrowed later, and
 * a plain `--allow-write` cannot (see lib/io/permissions.ts). On Windows, `/` is the drive on which
 * lbsim is started. lbsim may run only the programs that open a browser, for `play` and
 * `demo --open`, by their whole paths. Every other subcommand gives this permission up before it starts.
 *
 * The flags of the engine:
 *
 * - A young generation of 4 MB: a balancer needs little memory, also with thousands of idle
 *   connections.
 * - Higher limits for inlining: the simulator has many small functions, and is a fifth faster.
 * - An old generation that may grow by 150 % before it is collected: Deno leaves 400 bytes there for
 *   each connection, and a collection every few seconds took more than a hundredth of all time.
 * - Memory is returned after a minute without traffic, not after eight seconds: compiled code is
 *   discarded with it, and the next connections wait until it is compiled again.
 */
export function runFlags(): string[] {
  return deno.tasks["lbsim:run"].command.split(" ").filter((word) =>
    /^--(no-prompt|allow|v8-flags)/.test(word)
  );
}

/** Those of the flags that grant permissions. */
export function permissionFlags(): string[] {
  return runFlags().filter((flag) => flag.startsWith("--allow-"));
}

/** Those of the flags that set the engine. */
export function engineFlags(): string[] {
  return runFlags().filter((flag) => flag.startsWith("--v8-flags="));
}
