import { Option } from "@commander-js/extra-typings";
import { fileOption, integerOption, sizeOption } from "../../lib/cli/mod.ts";
import { UserError } from "../../lib/base/mod.ts";
import type { RecordOptions } from "./recorder.ts";

const MAX_BYTES = 100 * 1024 * 1024;
const FILES = 5;

/** `--record run.jsonl`. */
export const recordOption = () =>
  new Option("--record <file>", "record all events, for `lbsim sim --replay`")
    .argParser(fileOption);

/** `--record-max-size 100MB`. */
export const recordMaxSizeOption = () =>
  new Option(
    "--record-max-size <size>",
    "begin a new file when the recording has this size (default: 100MB)",
  ).argParser(sizeOption);

/** `--record-files 5`. */
export const recordFilesOption = () =>
  new Option(
    "--record-files <n>",
    `keep this many files: the newest, and <file>.1, <file>.2 … (default: ${FILES})`,
  ).argParser(integerOption(1));

/** `--record-key key.txt`. */
export const recordKeyOption = () =>
  new Option(
    "--record-key <file>",
    "record pseudonyms of the clients' addresses, made with the key in this file",
  ).argParser(fileOption);

/** The options of a recording, as commander has parsed them. */
export interface RecordFlags {
  readonly record?: string | undefined;
  readonly recordMaxSize?: number | undefined;
  readonly recordFiles?: number | undefined;
  readonly recordKey?: string | undefined;
}

/** @throws {UserError} if there is an option of a recording, but no `--record`. */
export function recordOptions(
  { record, recordMaxSize, recordFiles, recordKey }: RecordFlags,
): RecordOptions | undefined {
  if (record !== undefined) {
    const [maxBytes, files] = [recordMaxSize ?? MAX_BYTES, recordFiles ?? FILES];
    return { file: record, maxBytes, files, keyFile: recordKey };
  }
  const flag = recordMaxSize !== undefined
    ? "--record-max-size"
    : recordFiles !== undefined
    ? "--record-files"
    : recordKey !== undefined
    ? "--record-key"
    : undefined;
  if (flag === undefined) return undefined;
  throw new UserError(`${flag} applies only to a recording: add --record FILE`, { exitCode: 2 });
}
