import assert from "node:assert/strict";
import { ORIGINS } from "../../../lib/recording/mod.ts";
import { DURATIONS, GOOD_LOGS, STRANGE_LINES } from "../../support/damaged_logs.ts";
import { inFolder } from "../../support/folder.ts";
import { lbsim } from "../../support/process.ts";

const SAMPLE = `${import.meta.dirname}/../../lib/recording/samples/haproxy.log`;

Deno.test("import makes a recording of a log, which sim simulates; import shows the lines that it does not understand", () =>
  inFolder(async (folder) => {
    const log = `${folder}/haproxy.log`;
    await Deno.writeTextFile(log, `what\n${await Deno.readTextFile(SAMPLE)}is\nthis\n`);
    const { code, stdout, stderr } = await lbsim(["import", "haproxy", log]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /3 lines of \S+ not understood; the first is line 1:\n {2}what\n$/);
    const file = `${folder}/run.jsonl`;
    await Deno.writeTextFile(file, stdout);
    const replayed = await lbsim(["sim", "--replay", file, "--algorithm", "random", "--no-timing"]);
    assert.equal(replayed.code, 0, replayed.stderr);
    assert.match(replayed.stdout, /imported \(haproxy\), so there are no decisions/);
    assert.match(replayed.stdout, /each HTTP request of the log counts as a connection/);
    assert.match(replayed.stdout, /^random /m);

    const none = await lbsim(["import", "nginx", log]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /it has no connections in this format/);
    const missing = await lbsim(["import", "azure-2019", log]);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /add --durations/);
  }));

for (const origin of ORIGINS) {
  Deno.test(`import ${origin} counts each line that it does not understand`, () =>
    inFolder(async (folder) => {
      const { lines, header } = GOOD_LOGS[origin];
      const log = `${folder}/log`;
      const [first, rest] = [lines.slice(0, header), lines.slice(header)];
      const strange = rest.flatMap((line, i) => [STRANGE_LINES[i % STRANGE_LINES.length]!, line]);
      await Deno.writeTextFile(log, [...first, ...strange].join("\r\n"));
      const durations = `${folder}/durations.csv`;
      await Deno.writeTextFile(durations, DURATIONS);
      const { code, stdout, stderr } = await lbsim([
        ...["import", origin, log],
        ...origin === "azure-2019" ? ["--durations", durations] : [],
      ]);
      assert.equal(code, 0, stderr);
      const [, count, line] = /: (\d+) lines of .*; the first is line (\d+):/.exec(stderr) ?? [];
      assert.deepEqual([count, line], [String(rest.length), String(header + 1)], stderr);
      const reader = GOOD_LOGS[origin].reader();
      const rows = lines.reduce((sum, line) => sum + [...reader.rows(line)!].length, 0);
      assert.equal(stdout.match(/"type":"connection_arrived"/g)?.length, rows);
    }));
}
