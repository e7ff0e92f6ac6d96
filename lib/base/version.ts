import deno from "../../deno.json" with { type: "json" };

/** The version of lbsim. */
export const VERSION: string = deno.version;
