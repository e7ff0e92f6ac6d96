import type { Io } from "../../lib/cli/mod.ts";
import { UserError } from "../../lib/base/mod.ts";
import { openRecording } from "../../lib/files/recording_files.ts";
import { eventLoopTurn } from "../../lib/io/mod.ts";
import { type Repeated, repeated, type RepeatOptions } from "../../lib/recording/mod.ts";

/**
 * Repeats the decisions of a recording, and shows the progress.
 *
 * @throws {UserError} if it cannot be read, or has no traffic to simulate.
 */
export async function replayRecording(
  io: Io,
  file: string,
  options: RepeatOptions,
): Promise<Repeated> {
  const recording = openRecording(file);
  const steps = repeated(recording, options);
  try {
    while (true) {
      const { done, value } = steps.next();
      if (done) return value;
      const percent = Math.floor(100 * recording.read / Math.max(1, recording.size));
      io.status(`replaying the recording: ${percent} %`);
      await eventLoopTurn();
      if (io.signal.aborted) throw new UserError("stopped before the end: there is no result");
    }
  } finally {
    io.status();
  }
}
