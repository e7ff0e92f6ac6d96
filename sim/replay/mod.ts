/** `lbsim sim --replay`: repeats the decisions of a recording. */
export { type ReplayOptions, runReplay } from "./replay.ts";
