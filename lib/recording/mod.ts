/** Recordings: the inputs and the decisions of a run as JSON lines; and their replay. Pure. */
export {
  FORMAT,
  type LinesDropped,
  type Origin,
  ORIGINS,
  RECORDED_TYPES,
  type RecordedLine,
  type RecordingEnded,
  type RecordingHead,
} from "./format.ts";
export { isMeantAsRecording } from "./meant.ts";
export { RECORDING_MAX, tooLargeWords } from "./page_limit.ts";
export { type ReadLine, RecordingDamage, RecordingReader } from "./reader.ts";
export {
  beginsWithHash,
  filesOf,
  type Recording,
  type Repeated,
  repeated,
  type RepeatOptions,
} from "./repeat.ts";
export {
  configOf,
  type Difference,
  Replay,
  type ReplayFlags,
  type ReplayResult,
} from "./replay.ts";
export { TRACE_NAME, type Wanted, type WhatIf, WhatIfBuilder } from "./what_if.ts";
export { Azure2019, type Durations, durationsOf } from "./azure_2019.ts";
export { Azure2021, CsvTable, HaproxyLog, NGINX_FORMAT, NginxLog } from "./logs.ts";
export { recordingOf, type TrafficReader, type TrafficRow } from "./traffic.ts";
export { type KeyedHash, Pseudonyms } from "./pseudonyms.ts";
