import deno from "../deno.json" with { type: "json" };

/**
 * The flags that lbsim runs with: those of the `lbsim:run` task, which every build takes over, so that a
 * binary may do what a checkout may do and no more, and is as quick. It is never asked for a permission:
 * what is not granted, or was given up, fails. `--allow-write=/` can be narrowed later, and a plain
 * `--allow-write` cannot (see lib/io/permissions.ts); on Windows it is the drive on which lbsim is started.
 * The only programs that it may run are those that open a browser for `demo --open`, by their whole paths.
 * Every other subcommand gives this up before it starts.
 *
 * The engine's own: a young generation of 4 MB, since a balancer keeps little and thousands of idle
 * connections should not; more generous limits for inlining, which the simulator's many small functions
 * gain a fifth from; an old generation that grows by more than itself before it is collected, as Deno
 * leaves 400 bytes there for each connection, and to mark the rest of it every few seconds took more than
 * a hundredth of all time; and memory is given back after a minute without traffic, not after eight
 * seconds, since what was compiled goes with it and the next connections wait until it is compiled again.
 */
export function runFlags(): string[] {
  return deno.tasks["lbsim:run"].command.split(" ").filter((word) =>
    /^--(no-prompt|allow|v8-flags)/.test(word)
  );
}

/** Of these, what it may do. */
export function permissionFlags(): string[] {
  return runFlags().filter((flag) => flag.startsWith("--allow-"));
}

/** Of these, those of the engine. */
export function engineFlags(): string[] {
  return runFlags().filter((flag) => flag.startsWith("--v8-flags="));
}
