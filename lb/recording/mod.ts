/** The recording of a run: which events, in which files. */
export { Recorder, type RecordOptions } from "./recorder.ts";
export { recordingPaths } from "./recording_file.ts";
export {
  recordFilesOption,
  recordKeyOption,
  recordMaxSizeOption,
  recordOption,
  recordOptions,
} from "./options.ts";
