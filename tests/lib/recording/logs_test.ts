import assert from "node:assert/strict";
import {
  Azure2019,
  Azure2021,
  CsvTable,
  durationsOf,
  HaproxyLog,
  NginxLog,
  recordingOf,
  RecordingReader,
  type TrafficReader,
  type TrafficRow,
  WhatIfBuilder,
} from "../../../lib/recording/mod.ts";
import { damageLogs, GOOD_LOGS } from "../../support/damaged_logs.ts";

function rowsOf(reader: TrafficReader, lines: readonly string[]): TrafficRow[] {
  return lines.flatMap((line) => {
    const rows = reader.rows(line);
    assert.ok(rows !== undefined, line);
    return [...rows];
  });
}

Deno.test("HaproxyLog reads tcplog and httplog; a service time is without the wait and the connect", () => {
  const reader = new HaproxyLog();
  const [tcp] = rowsOf(reader, [
    "Feb  6 12:12:56 lab haproxy[143]: 10.0.1.2:33313 [06/Feb/2009:12:12:51.443] fnt bck/srv1 20/5/5007 212 -- 0/0/0/0/3 0/0",
  ]);
  const at = Date.UTC(2009, 1, 6, 12, 12, 51, 443);
  const row = { at, client: "10.0.1.2", backend: "srv1", connected: 25, service: 4982 };
  assert.deepEqual(tcp, { ...row, end: "closed", bytesToClient: 212 });
  const [http] = rowsOf(reader, [
    'x: 2001:db8::1:3331 [06/Feb/2009:12:12:51.443] fnt~ bck/srv1 10/0/30/69/109 200 2750 - - cD-- 1/1/1/1/0 0/0 {1} "GET / HTTP/1.1"',
  ]);
  assert.deepEqual(http, {
    ...{ at, client: "2001:db8::1", backend: "srv1", connected: 40, service: 69 },
    ...{ end: "idle_timeout", bytesToClient: 2750 },
  });
  const refused = rowsOf(reader, [
    "10.0.1.2:1 [06/Feb/2009:12:12:51.443] f b/<NOSRV> -1/-1/0 0 SC 1/1/0/0/0 0/0",
    "10.0.1.2:1 [06/Feb/2009:12:12:51.443] f b/s 500/-1/500 0 sQ 1/1/0/0/0 0/1",
    "10.0.1.2:1 [06/Feb/2009:12:12:51.443] f b/s 7/-1/9 0 CQ 1/1/0/0/0 0/1",
    "10.0.1.2:1 [06/Feb/2009:12:12:51.443] f b/s 0/-1/3000 0 SC 1/1/0/0/3 0/0",
  ]);
  assert.deepEqual(refused.map(({ refused }) => refused), [
    ...["no_backend_available", "queue_timeout", "left", "connects_failed"],
  ]);
  for (
    const other of ["", "hello", "10.0.1.2:1 [06/Foo/2009:12:12:51.443] f b/s 0/0/1 0 -- 1/1/0 0"]
  ) {
    assert.equal(reader.rows(other), undefined);
  }
});

Deno.test("NginxLog takes the last item of each list, and computes the arrival from the end", () => {
  const rows = rowsOf(new NginxLog(), [
    '1700000010.500 10.0.0.1 2.500 200 3 18 "10.1.0.3:80, 10.1.0.1:80" "-, 0.100" "1.000, 1.400"',
    '1700000011.000 10.0.0.2 1.000 502 0 0 "10.1.0.3:80" "-" "1.000"',
  ]);
  const at = 1_700_000_008_000;
  assert.deepEqual(rows.map((row) => ({ ...row, service: Math.round(row.service!) })), [
    {
      ...{ at, client: "10.0.0.1", backend: "10.1.0.1:80", connected: 1200, service: 1300 },
      ...{ bytesToBackend: 3, bytesToClient: 18 },
    },
    { at: at + 2000, client: "10.0.0.2", service: 1000, refused: "connects_failed" },
  ]);
});

for (
  const [name, refused] of [["haproxy", 1], ["nginx", 1]] as const
) {
  Deno.test(`a log that ${name} wrote becomes a recording that can be simulated`, () => {
    const { lines, ...log } = GOOD_LOGS[name];
    const reader = log.reader();
    const rows = rowsOf(reader, lines).sort((a, b) => a.at - b.at);
    assert.equal(rows.filter((row) => row.refused !== undefined).length, refused);
    const backends = new Set(rows.flatMap(({ backend }) => backend ?? []));
    assert.equal(backends.size, 2);
    const text = [...recordingOf(rows, { reader, backends, run: "test" })]
      .map((line) => `${JSON.stringify(line)}\n`).join("");
    const recording = new RecordingReader(name, [text]);
    const builder = new WhatIfBuilder(recording.head);
    let arrived = 0;
    for (const { event } of recording) {
      builder.read(event);
      if (event.type === "connection_arrived") arrived++;
    }
    assert.equal(arrived, lines.length);
    const { trace, assumptions } = builder.build({ algorithms: [], backends: [] });
    assert.equal(trace.trimEnd().split("\n").length, lines.length + 1);
    assert.match(assumptions.join("\n"), /1 connection reached no backend/);
  });
}

Deno.test("Azure2021 computes the arrival from the end and the duration", () => {
  const rows = rowsOf(new Azure2021(), [
    "app,func,end_timestamp,duration",
    "a,f,10.5,0.25",
    "a,f,9,2",
  ]);
  assert.deepEqual(rows, [
    { at: 10_250, client: "a", service: 250 },
    { at: 7000, client: "a", service: 2000 },
  ]);
});

Deno.test("Azure2019 draws times within the minute, and durations between the percentiles", () => {
  const [key, values] = durationsOf("o,a,f,50,9,1,100,0,1,25,50,75,99,100")!;
  assert.equal(
    durationsOf("HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,p"),
    undefined,
  );
  const reader = new Azure2019(new Map([[key, values]]), 7);
  assert.deepEqual([...reader.rows("HashOwner,HashApp,HashFunction,Trigger,1,2,3")!], []);
  const rows = [...reader.rows("o,a,f,http,0,10000,3")!];
  assert.equal(rows.length, 10_003);
  assert.equal(rows.filter(({ at }) => at >= 60_000 && at < 120_000).length, 10_000);
  // These percentiles are those of the uniform distribution from 0 to 100 ms.
  const mean = rows.reduce((sum, { service }) => sum + service!, 0) / rows.length;
  assert.ok(Math.abs(mean - 50) < 1.5, `${mean} ms`);
  assert.match(reader.assumptions[0]!, /drawn with seed 7/);
  assert.deepEqual(
    [...new Azure2019(new Map([[key, values]]), 7).rows("o,a,f,http,0,10000,3")!],
    rows,
  );
  assert.equal(reader.rows("o,a,f,http,1,x"), undefined);
});

Deno.test("CsvTable reads seconds and durations", () => {
  const reader = new CsvTable();
  const rows = rowsOf(reader, ["client,at,service,backend", "c1,1.5,20ms,B1", "c2,2s,,"]);
  assert.deepEqual(rows, [
    { at: 1500, client: "c1", backend: "B1", service: 20 },
    { at: 2000, client: "c2", backend: undefined, service: undefined },
  ]);
  assert.equal(reader.rows("c3,soon,20ms,B1"), undefined);
  assert.equal(new CsvTable().rows("when,what"), undefined);
});

Deno.test("the readers of logs survive any damage, and lose no good line", () => damageLogs(150));

Deno.test("the readers of logs refuse impossible numbers and dates", () => {
  const cases: [TrafficReader, string][] = [
    [new HaproxyLog(), "10.0.1.2:1 [31/Feb/2009:12:12:51.443] f b/s 0/0/9 0 -- 1/1/0/0/0 0/0"],
    [new HaproxyLog(), "10.0.1.2:1 [06/Feb/2009:25:12:51.443] f b/s 0/0/9 0 -- 1/1/0/0/0 0/0"],
    [new HaproxyLog(), "10.0.1.2:1 [06/Feb/2009:12:12:51.443] f b/s 0/-5/9 0 -- 1/1/0/0/0 0/0"],
    [new NginxLog(), '1700000010.5 10.0.0.1 2.5 200 3 18 "" "0.1" "1.0"'],
    [new NginxLog(), '1700000010.5 10.0.0.1 2.5 200 3 18 "10.1.0.3:80" "0.1.2" "1.0"'],
    [new Azure2021(), "a,f,1e999,1"],
    [new Azure2021(), "a,f,10,1e30"],
    [new Azure2019(new Map(), 1), "o,a,f,http,99999999999"],
  ];
  for (const [reader, line] of cases) assert.equal(reader.rows(line), undefined, line);
  assert.equal(durationsOf("o,a,f,50,9,1,100,0,1,,50,75,99,100"), undefined);
  // A line of a megabyte without a space, or with many colons, is read quickly.
  for (const piece of ["a", "1:", ":1", "[01/Feb/2009:12:12:51.443]"]) {
    assert.equal(new HaproxyLog().rows(piece.repeat(1_000_000 / piece.length)), undefined);
  }
});
