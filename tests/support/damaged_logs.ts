/** Logs with damage that is drawn at random: a line is a connection, or it is not understood. */
import assert from "node:assert/strict";
import { createRandom, type Random } from "../../lib/base/mod.ts";
import {
  Azure2019,
  Azure2021,
  CsvTable,
  durationsOf,
  HaproxyLog,
  NginxLog,
  type Origin,
  ORIGINS,
  recordingOf,
  RecordingReader,
  TRACE_NAME,
  type TrafficReader,
  type TrafficRow,
  WhatIfBuilder,
} from "../../lib/recording/mod.ts";
import { parseStudy } from "../../lib/scenario/mod.ts";
import { askedSeed, newSeed, seedOfCommit } from "./seeds.ts";

/** What azure-2019 reads besides. */
export const DURATIONS = "o,a,f,50,9,1,100,0,1,25,50,75,99,100";
const [KEY, VALUES] = durationsOf(DURATIONS)!;

const DAY_MS = 24 * 3600 * 1000;

/** A log with good lines, and what reads it. */
interface GoodLog {
  readonly lines: readonly string[];
  /** So many first lines say what the others mean, and are not damaged. */
  readonly header: number;
  reader(): TrafficReader;
}

/** Each format: lines that are right, and lines that never are. */
export const GOOD_LOGS: Readonly<Record<Origin, GoodLog>> = {
  haproxy: { lines: sample("haproxy"), header: 0, reader: () => new HaproxyLog() },
  nginx: { lines: sample("nginx"), header: 0, reader: () => new NginxLog() },
  csv: {
    lines: [
      "client,at,service,backend",
      "c1,1.5,20ms,B1",
      "c2,2s,,",
      "c1,3e0,0.25,B2",
      '"c",4,1s,B1',
    ],
    header: 1,
    reader: () => new CsvTable(),
  },
  "azure-2021": {
    lines: ["app,func,end_timestamp,duration", "a,f,10.5,0.25", "b,f,9,2", "a,g,86400.125,1e-3"],
    header: 0,
    reader: () => new Azure2021(),
  },
  "azure-2019": {
    lines: [
      "HashOwner,HashApp,HashFunction,Trigger,1,2,3",
      "o,a,f,http,0,4,3",
      "o,b,g,timer,1,0,0",
    ],
    header: 0,
    reader: () => new Azure2019(new Map([[KEY, VALUES]]), 7),
  },
};

/** No format has such a line. */
export const STRANGE_LINES = ["what", "{}", "- - -", "\u0000\u0000", ",,,,", "\ufffd"];

/** What is put into lines. */
const PIECES = [
  ...' ,:/-+."[]\t\r',
  ..."0 9 99999999999999999999 1e999 1e308 -1 -5 NaN Infinity 0x10 é \u0000 \ufffd".split(" "),
  ...", - :".split(" "),
  "[31/Feb/2009:25:12:51.443]",
  "<NOSRV>",
  "9".repeat(400),
];

/**
 * Damages a log of each format in this many ways. Half of the seeds are new in each run; the other half depend on the
 * commit. With `LBSIM_SEED=1234` in the environment, it does what this seed means.
 */
export async function damageLogs(times: number): Promise<void> {
  const asked = askedSeed();
  const firsts = asked === undefined ? [newSeed(), await seedOfCommit()] : [asked];
  const each = asked === undefined ? Math.ceil(times / 2) : 1;
  console.log(`damaged logs; seeds: ${firsts.join(", ")}, and ${each - 1} after each`);
  for (const first of firsts) {
    for (let seed = first; seed < first + each; seed++) {
      for (const origin of ORIGINS) readDamaged(origin, seed);
    }
  }
}

function readDamaged(origin: Origin, seed: number): void {
  const what = `${origin}, seed ${seed}`;
  const { lines, header, reader: create } = GOOD_LOGS[origin];
  const random = createRandom(seed);
  const draw = (count: number) => Math.floor(random.next() * count);
  const [reader, alone] = [create(), create()];
  const rows: TrafficRow[] = [];
  for (const [i, line] of lines.entries()) {
    if (i >= header) {
      const strange = STRANGE_LINES[draw(STRANGE_LINES.length)]!;
      assert.equal(reader.rows(strange), undefined, `${what}: ${JSON.stringify(strange)}`);
      const bad = damagedLine(lines[header + draw(lines.length - header)]!, random);
      rows.push(...reader.rows(bad) ?? []);
    }
    const [good, expected] = [reader.rows(line), alone.rows(line)];
    assert.ok(good !== undefined && expected !== undefined, `${what}: line ${i + 1} is lost`);
    const found = [...good];
    assert.deepEqual(found, [...expected], `${what}: line ${i + 1}`);
    rows.push(...found);
  }
  simulate(rows, reader, what);
}

function damagedLine(line: string, random: Random): string {
  const draw = (count: number) => Math.floor(random.next() * count);
  let result = line;
  for (let i = draw(3); i >= 0; i--) {
    const at = draw(result.length + 1);
    const kind = draw(4);
    const piece = PIECES[draw(PIECES.length)]!;
    if (kind === 0) result = result.slice(0, at);
    else if (kind === 1) result = result.slice(0, at) + result.slice(at + 1 + draw(20));
    else if (kind === 2) result = result.slice(0, at) + piece + result.slice(at);
    else {
      const words = result.split(/(?<=[ ,/:"])|(?=[ ,/:"])/);
      if (words.length > 0) words[draw(words.length)] = piece;
      result = words.join("");
    }
  }
  return result;
}

/** What was understood becomes a recording that can be simulated, if its dates are not too far apart. */
function simulate(all: readonly TrafficRow[], reader: TrafficReader, what: string): void {
  const sorted = all.toSorted((a, b) => a.at - b.at);
  const middle = sorted[sorted.length >> 1]!.at;
  const rows = sorted.filter(({ at }) => Math.abs(at - middle) < 50 * DAY_MS);
  const backends = new Set(rows.flatMap(({ backend }) => backend ?? []));
  const text = [...recordingOf(rows, { reader, backends, run: "test" })]
    .map((line) => `${JSON.stringify(line)}\n`).join("");
  try {
    const recording = new RecordingReader("test", [text]);
    const builder = new WhatIfBuilder(recording.head);
    let arrived = 0;
    for (const { event } of recording) {
      builder.read(event);
      if (event.type === "connection_arrived") arrived++;
    }
    assert.equal(arrived, rows.length);
    const { scenario, trace } = builder.build({ algorithms: [], backends: [] });
    const files = { [TRACE_NAME]: { file: TRACE_NAME, text: trace } };
    parseStudy({ scenario: { file: "what if", text: scenario }, files, set: [] });
  } catch (error) {
    throw new Error(`${what}: ${JSON.stringify(rows)}`, { cause: error });
  }
}

/** A log that the programs of Debian wrote: see tests/lib/recording/samples/make.sh. */
function sample(name: string): string[] {
  const url = new URL(`../lib/recording/samples/${name}.log`, import.meta.url);
  return Deno.readTextFileSync(url).trimEnd().split("\n");
}
