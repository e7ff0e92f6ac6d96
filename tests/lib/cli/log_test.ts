import assert from "node:assert/strict";
import { logger, logSentence, startLogging, stopLogging } from "../../../lib/cli/log.ts";

/** The line that is logged on a terminal with this number of columns. */
function logged(columns: number, event: string, sentence: string): string {
  const lines: string[] = [];
  startLogging({ level: "info", format: "auto" }, {
    out: (line) => lines.push(line),
    stdoutIsTerminal: true,
    color: false,
    width: () => columns,
  });
  try {
    logSentence(logger("lb"), "info", sentence, { event });
  } finally {
    stopLogging();
  }
  return lines[0]!;
}

Deno.test("startLogging() cuts status lines to the terminal's width, and no others", () => {
  const sentence = "B1  up     12 in flight  345 total  33.3 %  probe 0.8 ms, 0.6 s ago";
  assert.ok(logged(100, "status", sentence).endsWith(sentence));
  for (const columns of [60, 80]) {
    assert.match(logged(columns, "status", sentence), /B1 {2}up .*…$/);
    assert.ok(logged(columns, "status", sentence).length < columns);
    assert.ok(logged(columns, "totals", sentence).endsWith(sentence));
  }
});
