import deno from "../deno.json" with { type: "json" };

/**
 * The permissions that lbsim runs with, as flags: those of the `lbsim` task, which every build takes
 * over, so that a binary may do what a checkout may do and no more.
 */
export function permissionFlags(): string[] {
  return deno.tasks.lbsim.command.split(" ").filter((word) => word.startsWith("--allow-"));
}
