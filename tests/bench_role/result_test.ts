import assert from "node:assert/strict";
import { BackendNames, Tally } from "../../bench/mod.ts";
import { liveLine, resultCsv, resultLines, resultOf } from "../../bench/report/mod.ts";
import type { RunFacts } from "../../bench/report/result.ts";
import { NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import { Histogram } from "../../lib/stats/mod.ts";

const FACTS: RunFacts = {
  lbsim: "1.2.3",
  target: "127.0.0.1:8000",
  load: "100 requests/s",
  isClosed: false,
  payload: { kind: "line", size: 19 },
  seed: 1,
  length: 10 * NS_PER_S,
  isInterrupted: false,
  processors: 0.1,
};

/** The tally of `count` requests that took 1 ms, 2 ms … and whose start was late by `lag`. */
function tallyOf(count: number, lag: number): Tally {
  const tally = new Tally(new BackendNames());
  for (const id of ["B10", "B9"]) {
    const bytes = new TextEncoder().encode(`Hello from ${id}: x`);
    tally.names.numberIn(bytes, 0, bytes.length);
  }
  for (let i = 1; i <= count; i++) {
    tally.offered++;
    tally.sent++;
    tally.lag.record(lag);
    tally.answered(0, lag, i * NS_PER_MS + lag, i % 4 === 0 ? 0 : 1);
  }
  return tally;
}

Deno.test("resultOf() adds up", () => {
  const tally = tallyOf(100, 0);
  tally.offered += 2;
  tally.failed("refused", NS_PER_S);
  const result = resultOf(FACTS, tally);
  assert.deepEqual(
    [result.offered, result.answers, result.errors, result.unfinished],
    [102, 100, 1, 1],
  );
  assert.deepEqual(result.errors_by_kind, { refused: 1 });
  assert.equal(result.answers_per_s, 10);
  assert.deepEqual(result.backends, [
    { id: "B9", answers: 75, share: 0.75 },
    { id: "B10", answers: 25, share: 0.25 },
  ]);
  assert.ok(Math.abs(result.latency_ms.corrected.p50! - 50) < 1);
  assert.equal(result.latency_ms.corrected.max, 100);
  assert.equal(result.latency_histogram.reduce((sum, { count }) => sum + count, 0), 100);
});

Deno.test("resultOf() has null for times of which there are none", () => {
  const { latency_ms, lag_ms, latency_histogram } = resultOf(FACTS, tallyOf(0, 0));
  assert.equal(latency_ms.corrected.p99_99, null);
  assert.equal(lag_ms.mean, null);
  assert.deepEqual(latency_histogram, []);
  const unstarted = resultOf({ ...FACTS, length: 0 }, tallyOf(0, 0));
  assert.deepEqual([unstarted.offered_per_s, unstarted.answers_per_s], [0, 0]);
});

for (
  const [name, facts, tally, limited] of [
    ["an open loop in time", {}, tallyOf(100, 0), false],
    ["an open loop that is late by less than a millisecond", {}, tallyOf(1, 1e5), false],
    ["an open loop whose lag is a small part of its latency", {}, tallyOf(100, 5e6), false],
    ["an open loop whose lag is a large part of its latency", {}, tallyOf(10, 5e6), true],
    ["a closed loop with time to spare", { isClosed: true }, tallyOf(10, 0), false],
    [
      "a closed loop that takes a processor",
      {
        isClosed: true,
        processors: 0.97,
      },
      tallyOf(10, 0),
      true,
    ],
  ] as const
) {
  Deno.test(`the generator is ${limited ? "" : "not "}the limit of ${name}`, () => {
    const result = resultOf({ ...FACTS, ...facts }, tally);
    assert.equal(result.generator_was_the_limit, limited);
    assert.equal(result.warnings.length, limited ? 1 : 0);
  });
}

Deno.test("a shortage of this machine is named as one", () => {
  const tally = tallyOf(10, 0);
  tally.offered += 3;
  for (let i = 0; i < 3; i++) tally.failed("no_descriptors", 0);
  assert.match(
    resultOf(FACTS, tally).warnings.join(),
    /3 requests failed because of this machine: .* no file descriptor left/,
  );
});

Deno.test("resultLines() fits into narrow terminals", () => {
  const tally = tallyOf(1000, 2 * NS_PER_MS);
  tally.failed("closed", 0);
  for (const columns of [50, 80, 200]) {
    for (const line of resultLines(resultOf(FACTS, tally), { color: false, columns })) {
      assert.ok(line.length <= columns, `${columns}: ${line}`);
    }
  }
});

Deno.test("resultCsv() quotes what needs it", () => {
  const [, row] = resultCsv(resultOf({ ...FACTS, load: 'a, "b"' }, tallyOf(1, 0))).split("\n");
  assert.match(row!, /^127\.0\.0\.1:8000,"a, ""b""",open,line,19,1,10,false,1,1,1,0,0,/);
});

Deno.test("liveLine() shows the last second, all errors and what is in flight", () => {
  const recent = new Histogram();
  for (let i = 0; i < 500; i++) recent.record(4 * NS_PER_MS);
  const moment = { elapsed: 12 * NS_PER_S, interval: NS_PER_S / 2, errors: 1, inFlight: 7 };
  assert.equal(
    liveLine({ ...moment, duration: 30 * NS_PER_S, recent }),
    "  12 of 30 s  1000/s  p50 4.00  p99 4.00 ms  1 error  7 in flight",
  );
  assert.equal(
    liveLine({ ...moment, duration: undefined, recent: new Histogram() }),
    "  12 s  0/s  p50 –  p99 – ms  1 error  7 in flight",
  );
});
