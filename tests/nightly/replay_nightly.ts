/** What tests/lib/recording/replay_test.ts does to a few lives, to fifteen hundred. */
import { damageRecordings } from "../support/damaged_recording.ts";
import { replayLives } from "../support/replays.ts";

Deno.test("Replay makes the decisions of fifteen hundred random lives again", () =>
  replayLives(1500));

Deno.test("RecordingReader and Replay survive fifty thousand kinds of damage", () =>
  damageRecordings(50_000));
