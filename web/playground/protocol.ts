/**
 * The messages between the page and its worker. The page imports them from here: everything except constants is types,
 * which cost the page nothing.
 */
export { NONE, PHASES } from "../../lib/observe/mod.ts";
export type { Beliefs, Counts, Dots, Flows, Phase, Truth } from "../../lib/observe/mod.ts";
export type * from "../../sim/play/mod.ts";
