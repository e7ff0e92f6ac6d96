/** The common parts of all subcommands: options, output and the log. */
export type { ExitCode, Io } from "./io.ts";
export { logger, logSentence, startLogging } from "./log.ts";
export { type ByteSink, Output } from "./output.ts";
export {
  addressOption,
  durationOption,
  fileOption,
  hostOption,
  integerOption,
  nameOption,
  parsed,
  portOption,
  positiveDurationOption,
  rateOption,
  shareOption,
  sizeOption,
} from "./options.ts";
