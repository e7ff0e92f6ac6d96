import assert from "node:assert/strict";
import FakeTimers from "@sinonjs/fake-timers";
import { LiveLine } from "../../client/live_line.ts";
import { NS_PER_MS } from "../../lib/base/mod.ts";

Deno.test("LiveLine shows the rate and the p99 of the last second, and all errors; at the end it removes its line", () => {
  const clock = FakeTimers.install({ toFake: ["setInterval", "clearInterval"] });
  const shown: (string | undefined)[] = [];
  try {
    const io = { status: (line?: string) => void shown.push(line) };
    const live = new LiveLine(io, () => clock.now * NS_PER_MS);
    for (let i = 0; i < 100; i++) live.record(4 * NS_PER_MS, i === 0);
    clock.tick(1000);
    clock.tick(1000);
    live.record(4 * NS_PER_MS, true);
    live.record(8 * NS_PER_MS, false);
    clock.tick(1000);
    live[Symbol.dispose]();
    clock.tick(5000);
  } finally {
    clock.uninstall();
  }
  assert.deepEqual(shown, [
    "   1 s   99 answers/s   p99 4.00 ms   1 error",
    "   2 s   0 answers/s   p99 –   1 error",
    "   3 s   1 answers/s   p99 8.00 ms   2 errors",
    undefined,
  ]);
});
