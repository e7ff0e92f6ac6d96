/**
 * The messages between the page and its worker. The page imports them from here: everything except constants is types,
 * which cost the page nothing.
 */
export { NONE, PHASES } from "../../lib/observe/simulation_frame.ts";
export type * from "../../lib/observe/simulation_frame.ts";
export type * from "../../sim/play/mod.ts";
