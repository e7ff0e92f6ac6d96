/** Records a run: the events, and the files in which they are written. */
export { Recorder, type RecordOptions } from "./recorder.ts";
export { recordingPaths } from "./recording_file.ts";
export {
  recordFilesOption,
  recordKeyOption,
  recordMaxSizeOption,
  recordOption,
  recordOptions,
} from "./options.ts";
