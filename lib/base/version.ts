/**
 * The version of lbsim. deno.json has the version, too, and a test compares both. A page does not read
 * deno.json, because its bundle would then contain the whole file, and be out of date after each change of a task.
 */
export const VERSION = "0.2.0";
