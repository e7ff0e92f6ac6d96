/** Faults of a backend: their kinds, their effects, their words, and which are active. Pure. */
export { type ActiveFault, ActiveFaults } from "./active_faults.ts";
export { effectOf, type FaultEffect, NO_EFFECT } from "./effect.ts";
export type { ServerFault } from "./kind.ts";
export { FAULT_NAMES, faultWords, parseFault, type WrittenFault, writtenFault } from "./words.ts";
