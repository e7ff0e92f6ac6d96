/** `lbsim sim --replay`: repeats the decisions of a recording, and makes a scenario of its traffic. */
export { replayRecording } from "./replay.ts";
