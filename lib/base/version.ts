import deno from "../../deno.json" with { type: "json" };

// It is marked as pure, so that a bundle that does not use it contains nothing of deno.json.
/** The version of lbsim. */
export const VERSION: string = /* @__PURE__ */ (() => deno.version)();
