/**
 * The messages between the page and its worker. The page imports them from here. Everything except constants is a
 * type, which does not make the page larger.
 */
export { NONE, PHASES } from "../../lib/observe/simulation_frame.ts";
export type * from "../../lib/observe/simulation_frame.ts";
export type * from "../../sim/play/mod.ts";
