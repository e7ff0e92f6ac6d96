/**
 * A recording: JSON lines. The first line is the head, which describes the file; each further line is an event of the
 * stream of a run. A long recording has several files, and each has a head of its own.
 */
import { EVENT_TYPES, REPLAY_TYPES, type StreamEvent, type StreamType } from "../core/mod.ts";

/** The version of the format. A reader refuses a recording with another version. */
export const FORMAT = 1;

/** The format from which a recording was imported, if lbsim did not record it. */
export type Origin = (typeof ORIGINS)[number];

/** The formats of other programs that can be imported. */
export const ORIGINS = ["haproxy", "nginx", "azure-2021", "azure-2019", "csv"] as const;

/** The first line of a file of a recording. */
export interface RecordingHead {
  readonly type: "recording";
  readonly format: number;
  /** The version of lbsim that wrote it. */
  readonly lbsim: string;
  /** An id, which is the same in all files of a recording. */
  readonly run: string;
  /** The number of this file in the recording, from 1. */
  readonly part: number;
  /** Whether the recording has the addresses of clients, or pseudonyms that were computed from them with a key. */
  readonly clients: "addresses" | "pseudonyms";
  /** For the files after the first: the configuration in use at the beginning of this file. */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** The format from which it was imported; absent if lbsim recorded it. */
  readonly origin?: Origin;
  /** The assumptions of an import, one sentence each. */
  readonly assumptions?: readonly string[];
}

/** Lines are missing here: they could not be written in time. */
export interface LinesDropped {
  readonly type: "lines_dropped";
  readonly count: number;
}

/** The balancer stopped: the recording is complete. */
export interface RecordingEnded {
  readonly type: "recording_ended";
  readonly at_ms: number;
}

/** Any line after the head. */
export type RecordedLine = StreamEvent | LinesDropped | RecordingEnded;

/** The events that are recorded: all except explanations, which cost more than the picks that they explain. */
export const RECORDED_TYPES: readonly StreamType[] = [
  ...EVENT_TYPES.filter((type) => type !== "pick_explained"),
  ...REPLAY_TYPES,
];
