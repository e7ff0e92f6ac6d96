/**
 * The same as tests/lib/recording/replay_test.ts, with fifteen hundred random lives instead of a
 * few.
 */
import { damageLogs } from "../support/damaged_logs.ts";
import { damageRecordings } from "../support/damaged_recording.ts";
import { replayLives } from "../support/replays.ts";

Deno.test("Replay makes the decisions of fifteen hundred random lives again", () =>
  replayLives(1500));

Deno.test("RecordingReader and Replay survive fifty thousand kinds of damage", () =>
  damageRecordings(50_000));

Deno.test("the readers of logs survive ten thousand kinds of damage, and read every undamaged line", () =>
  damageLogs(10_000));
