/**
 * What a page in a browser does with scenarios: it parses their texts, runs every variant and sums the
 * results up; and what the other pure rooms do. It imports pure rooms only, so that it runs in any JavaScript engine.
 */
import { BackendNames, linePayload, Tally } from "../../bench/core/mod.ts";
import { openApi } from "../../lib/api/mod.ts";
import { childSeed, createRandom } from "../../lib/base/mod.ts";
import { ALGORITHM_NAMES, EVENT_TYPES } from "../../lib/core/mod.ts";
import { sentenceOf } from "../../lib/observe/mod.ts";
import {
  CsvTable,
  Pseudonyms,
  type ReadLine,
  recordingOf,
  RecordingReader,
  Replay,
  WhatIfBuilder,
} from "../../lib/recording/mod.ts";
import { reportLines, type StudyReport } from "../../lib/report/mod.ts";
import { parseStudy, type StudyInputs } from "../../lib/scenario/mod.ts";
import { Demand } from "../../lib/workload/mod.ts";
import { type Command, type Exported, type Message, Player } from "../../sim/play/mod.ts";
import { Replicator, summarise } from "../../sim/study/mod.ts";
import { recordedLife } from "../support/recorded_life.ts";

const REPLICATIONS = 2;

const COMPARED = `replications: ${REPLICATIONS}
compare: {balancer.algorithm: [${ALGORITHM_NAMES.join(", ")}]}
`;

/** Weights, faults, probes, timeouts and retries. */
const FAULTS = `${COMPARED}
balancer:
  backends: [{id: B1}, {id: B2, weight: 3}, {id: B3}, {id: B4, backup: true}]
  health_check: {type: http, interval: 500ms, timeout: 200ms}
  ejection: {failures: 2}
duration: 4s
service: {lognormal: {mean: 20ms, sigma: 1.5}}
servers: {default: {slots: 2}, B3: {speed: 0.5}}
workload: {arrivals: {poisson: {load: 70%}}, clients: {count: 500, zipf: 0.9}, timeout: 1s, retries: {max: 2}}
faults:
  - {at: 1s, for: 1s, backend: B1, kind: hang}
  - {at: 2s, for: 1s, backend: B2, kind: {slow: 4}}
expect: ["errors < 50%", "p99_ms[maglev] > 1ms"]
`;

/** A configuration and recorded arrivals from other texts. */
const TRACE = `${COMPARED}
extends: config.yaml
network: {latency: {exponential: 300us}}
workload: {arrivals: {trace: visits.csv}, requests_per_connection: {uniform: {min: 1, max: 5}}}
`;

const CONFIG = `listen: 192.0.2.1:8000
backends:
  - {id: B1, address: 192.0.2.11:9000, max_connections: 6}
  - {id: B2, address: "[2001:db8::2]:9000", max_connections: 6}
  - {id: B3, address: lab.example:9000, weight: 2}
sticky: {ttl: 2s, store: {redis: "redis://me:secret@192.0.2.3/1"}}
queue: {length: 50, timeout: 1s}
`;

const VISITS = [
  "at,client,service",
  ...Array.from({ length: 300 }, (_, i) => `${i * 0.005},${i % 37},${0.01 + (i % 7) / 100}`),
].join("\n");

/** Several balancers, a rate that swings, and servers that share their time. */
const BALANCERS = `${COMPARED}
balancer: {backends: 5}
load_balancers: 3
idle_reports: true
duration: 3s
service: {pareto: {min: 2ms, max: 1s, alpha: 1.4}}
servers: {default: {discipline: processor-sharing, abandoned: drop}}
workload: {arrivals: {diurnal: {load: 60%, amplitude: 80%, period: 2s}}, timeout: 500ms}
`;

const STUDIES: readonly StudyInputs[] = [
  { scenario: { file: "faults.yaml", text: FAULTS }, files: {}, set: ["seed=7"] },
  {
    scenario: { file: "trace.yaml", text: TRACE },
    files: {
      "config.yaml": { file: "config.yaml", text: CONFIG },
      "visits.csv": { file: "visits.csv", text: VISITS },
    },
    set: [],
  },
  { scenario: { file: "balancers.yaml", text: BALANCERS }, files: {}, set: [] },
];

/**
 * Digests: of the results of each study, of its report, of a load, of a recording, of the API's description, and of runs
 * of the playground.
 */
export function digests(): string[] {
  return [
    ...studyDigests(),
    loadDigest(),
    recordingDigest(),
    digestOf("API", openApi()),
    ...playgroundDigests(),
  ];
}

function studyDigests(): string[] {
  return STUDIES.map((inputs) => {
    const study = parseStudy(inputs);
    const replicator = new Replicator(study);
    const results = study.variants.map((_, variant) =>
      Array.from(
        { length: REPLICATIONS },
        (_, replication) => replicator.run({ variant, replication }),
      )
    );
    const { file } = inputs.scenario;
    const report: StudyReport = {
      ...{ lbsim: "0.0.0", scenario: file, title: null, seed: 1, digest: "0".repeat(64) },
      ...summarise(study, results),
    };
    const lines = reportLines(report, { color: false, columns: 100 });
    return digestOf(
      `${file} ${study.variants.length}`,
      [results, report, lines],
    );
  });
}

const NAMES = ["B1", "B2", "B3"];

/** What the load generator would send and when, and what it records of the answers. */
function loadDigest(): string {
  const { workload, service } = parseStudy({
    scenario: { file: "load.yaml", text: FAULTS },
    files: {},
    set: [],
  }).variants[0]!.scenario;
  const demand = new Demand({ workload, service }, 7);
  const names = new BackendNames();
  const tally = new Tally(names);
  const payload = linePayload();
  const buffer = new Uint8Array(payload.size);
  const reader = payload.reader(names);
  const said: unknown[] = [];
  for (let i = 0, now = 0; i < 500; i++) {
    now = demand.arrivals!.next();
    const request = payload.write(i, buffer);
    reader.begin(request);
    const answer = bytesOf(`Hello from ${NAMES[i % 3]}: ${String.fromCharCode(...request)}`);
    const end = reader.take(answer, 0, answer.length);
    const work = demand.work(i, 0);
    said.push([now, demand.clientOf(i), demand.requestsFrom(i, 0), work, end, reader.error ?? ""]);
    if (i % 50 === 0) tally.failed("timeout", now + work);
    else tally.answered(now, now, now + work, reader.backend);
  }
  said.push(tally.slices(), tally.corrected.quantile(0.99), tally.byBackend, names.names);
  return digestOf("load", said);
}

/** A life of a scheduler, recorded with pseudonyms, read again, and replayed; and what else would have happened. */
function recordingDigest(): string {
  const pseudonyms = new Pseudonyms((bytes) => {
    const random = createRandom(childSeed(1, bytes.join()));
    return Uint8Array.from({ length: 32 }, () => Math.floor(256 * random.next()));
  });
  const lines = recordedLife(1, 600);
  const [head, ...events] = lines.map((line) => JSON.parse(line));
  const hidden = [head, ...events.map((event) => pseudonyms.event(event))];
  const texts = [lines, hidden.map((line) => JSON.stringify(line))].map((all) =>
    all.map((line) => `${line}\n`).join("")
  );
  const results = texts.map((text) => {
    const reader = new RecordingReader("life", [text]);
    const builder = new WhatIfBuilder(reader.head);
    const onLine = ({ event }: ReadLine) => builder.read(event);
    const steps = new Replay(reader[Symbol.iterator](), { onLine }).run();
    let step = steps.next();
    while (!step.done) step = steps.next();
    return [step.value, builder.build({ algorithms: ["random"], backends: [3] })];
  });
  const csv = new CsvTable();
  const rows = VISITS.split("\n").flatMap((line) => [...csv.rows(line) ?? []]);
  const imported = [...recordingOf(rows, { reader: csv, backends: NAMES, run: "run" })];
  const sentences = events.filter(({ type }) => EVENT_TYPES.includes(type)).map(sentenceOf);
  return digestOf("recording", [texts, results, imported, sentences]);
}

/** Each request is answered in fewer ticks. */
const TICKS_MAX = 10_000;

/** What a user does by hand in the playground. */
const BY_HAND: readonly Command[] = [
  { kind: "seek", at_ms: 700 },
  { kind: "change", set: { "workload.arrivals.load": "110%", "servers.B2.slots": 3 } },
  { kind: "step", to: "pick" },
  { kind: "break", backend: "B2", fault: { slow: 4 } },
  { kind: "seek", at_ms: 1500 },
  { kind: "add backend", backend: { weight: 2 } },
  { kind: "repair", backend: "B2" },
  { kind: "why", variant: 1 },
  { kind: "seek", at_ms: 1200 },
  { kind: "change", set: { "balancer.algorithm": "ring-hash" } },
  { kind: "remove backend", id: "B3" },
];

/** A run with changes by hand, and a recording: what the playground answers and draws, and the digest that it exports. */
function playgroundDigests(): string[] {
  const text = FAULTS.replace(COMPARED, "compare: {balancer.algorithm: [round-robin, prequal]}\n")
    .replace(/expect:.*/, "");
  const parts = [{ file: "run.jsonl", text: recordedLife(1, 300).join("\n") }];
  return [
    ["playground", { kind: "open", source: { file: "run.yaml", text } }, ...BY_HAND] as const,
    ["played recording", { kind: "open recording", parts }, { kind: "seek", at_ms: 200 }] as const,
  ].map(([name, ...commands]) => {
    const said: unknown[] = [];
    let wall = 0;
    const player = new Player(() => wall, (message) => said.push(message));
    [...commands, { kind: "export" } as const].forEach((command, request) => {
      player.take({ request, ...command });
      for (let i = 0; player.isBusy && i < TICKS_MAX; i++) {
        wall += 100;
        player.tick(1);
      }
    });
    const { result } = said.findLast((message) => (message as Message).kind === "reply") as {
      readonly result: Exported;
    };
    return `${digestOf(name, said)} ${result.digest}`;
  });
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** What is a number of no kind, like NaN, is null in JSON in every engine. */
function digestOf(name: string, value: unknown): string {
  const json = JSON.stringify(value);
  return `${name} ${[1, 2].map((seed) => childSeed(seed, json))}`;
}
