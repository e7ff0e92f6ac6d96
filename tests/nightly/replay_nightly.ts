/** What tests/lib/recording/replay_test.ts does to a few lives, to fifteen hundred. */
import { replayLives } from "../support/replays.ts";

Deno.test("Replay makes the decisions of fifteen hundred random lives again", () =>
  replayLives(1500));
