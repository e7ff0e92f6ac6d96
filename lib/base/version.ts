/**
 * The version of lbsim. deno.json has it, too, and a test compares them: if it were read from there, a page's bundle
 * would contain the whole file, and would be out of date with each change of a task.
 */
export const VERSION = "0.2.0";
