/** Recordings: what a run was given and what it did, as JSON lines; and their replay. Pure. */
export {
  FORMAT,
  type LinesDropped,
  type Origin,
  RECORDED_TYPES,
  type RecordedLine,
  type RecordingEnded,
  type RecordingHead,
} from "./format.ts";
export { type ReadLine, RecordingDamage, RecordingReader } from "./reader.ts";
export { configOf, type Difference, Replay, type ReplayResult } from "./replay.ts";
export { TRACE_NAME, type Wanted, type WhatIf, WhatIfBuilder } from "./what_if.ts";
