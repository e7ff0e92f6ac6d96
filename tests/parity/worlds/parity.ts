/** One scenario in both worlds, and the gap between them. */
import { childSeed, finished, NS_PER_MS } from "../../../lib/base/mod.ts";
import {
  definitionOf,
  detectionMs,
  failbackMs,
  type ReplicationResult,
} from "../../../lib/metrics/mod.ts";
import {
  type ReadLine,
  RECORDED_TYPES,
  type RecordedLine,
  Replay,
  type ReplayResult,
} from "../../../lib/recording/mod.ts";
import { parseStudy } from "../../../lib/scenario/mod.ts";
import type { Overheads } from "../../../lib/scenario/types.ts";
import { Histogram } from "../../../lib/stats/mod.ts";
import { runLive } from "../../../live/live_run.ts";
import { simulate } from "../../../sim/mod.ts";
import type { ReadyScenario } from "../../../sim/study/mod.ts";
import type { ParityScenario } from "./scenarios.ts";

/** The numbers of a run that are compared. Times are in milliseconds. */
export interface Figures {
  readonly mean: number;
  readonly p99: number;
  readonly shares: readonly number[];
  readonly errors: number;
  /** NaN if no fault was detected. */
  readonly detection: number;
  readonly failback: number;
}

/** A scenario in both worlds. */
export interface Gap {
  readonly name: string;
  /** The simulator with its defaults, and with the overheads of this machine. */
  readonly plain: Figures;
  readonly simulated: Figures;
  /** The median of each figure over the repetitions. */
  readonly live: Figures;
  /** How many decisions of the live runs the scheduler repeated in virtual time, from their recordings. */
  readonly repeated: number;
  /** The differences that exceed their bounds, in words. */
  readonly outside: readonly string[];
}

/** How far the worlds may differ. */
export interface Bounds {
  readonly meanShare: number;
  readonly meanMs: number;
  readonly p99Share: number;
  readonly p99Ms: number;
  /** The largest difference of a share: 0.01 is a percentage point. */
  readonly share: number;
}

/** The bounds below saturation, on a machine that does no other work. */
export const BOUNDS: Bounds = {
  meanShare: 0.05,
  meanMs: 0.3,
  p99Share: 0.1,
  p99Ms: 1,
  share: 0.01,
};

/** Runs a scenario in both worlds with the same seed. */
export async function compareWorlds(
  { name, text }: ParityScenario,
  overheads: Overheads | undefined,
  bounds: Bounds,
  { repetitions = 1, set = [] as readonly string[] } = {},
): Promise<Gap> {
  const study = parseStudy({ scenario: { file: name, text }, files: {}, set });
  const scenario = study.variants[0]!.scenario as ReadyScenario;
  const seed = childSeed(study.seed, "parity");
  const plain = figuresOf(simulate(scenario, seed));
  const simulated = overheads === undefined
    ? plain
    : figuresOf(simulate({ ...scenario, overheads }, seed));
  const runs: Figures[] = [];
  let [repeated, isSame] = [0, true];
  for (let i = 0; i < repetitions; i++) {
    const recording: string[] = [];
    const { result } = await runLive(scenario, seed, {
      signal: new AbortController().signal,
      series: false,
      observe: (events) =>
        void events.subscribe(
          "parity",
          RECORDED_TYPES,
          (event) => recording.push(JSON.stringify(event)),
        ),
    });
    runs.push(figuresOf(result));
    const replay = replayOf(recording);
    repeated += replay.picks + replay.refusals;
    isSame &&= replay.difference === undefined;
  }
  const live = medianOf(runs);
  const interval = scenario.balancer.healthCheck.interval / NS_PER_MS;
  const outside = outsideOf(simulated, live, bounds, interval);
  if (!isSame) outside.push("decisions");
  return { name, plain, simulated, live, repeated, outside };
}

/** Repeats a live run's decisions: with the same inputs at the same times, they must be the same. */
function replayOf(recording: readonly string[]): ReplayResult {
  const lines = recording.map((text, i): ReadLine => (
    { file: "", line: i + 1, event: JSON.parse(text) as RecordedLine }
  ));
  return finished(new Replay(lines.values()).run());
}

/** The figures of a run. */
export function figuresOf(result: ReplicationResult): Figures {
  const errors = definitionOf("errors");
  const [fault] = result.faults;
  return {
    mean: result.sojourn.sum / result.sojourn.count / NS_PER_MS,
    p99: Histogram.fromData(result.sojourn).quantile(0.99) / NS_PER_MS,
    shares: result.backends.map(({ share }) => share),
    errors: errors.kind === "ratio" ? errors.count(result) / errors.per(result) : NaN,
    detection: fault === undefined ? NaN : detectionMs(fault),
    failback: fault === undefined ? NaN : failbackMs(fault),
  };
}

function medianOf(runs: readonly Figures[]): Figures {
  const of = (read: (figures: Figures) => number) =>
    runs.map(read).toSorted((a, b) => a - b)[runs.length >> 1]!;
  return {
    mean: of(({ mean }) => mean),
    p99: of(({ p99 }) => p99),
    shares: runs[0]!.shares.map((_, i) => of(({ shares }) => shares[i]!)),
    errors: of(({ errors }) => errors),
    detection: of(({ detection }) => detection),
    failback: of(({ failback }) => failback),
  };
}

/** The largest difference of a backend's share. */
export function shareGap(a: Figures, b: Figures): number {
  return Math.max(...a.shares.map((share, i) => Math.abs(share - b.shares[i]!)));
}

function outsideOf(a: Figures, b: Figures, bounds: Bounds, interval: number): string[] {
  const differs = (from: number, to: number, share: number, ms: number) =>
    Math.abs(to - from) > Math.max(share * from, ms);
  const late = (from: number, to: number) =>
    Number.isFinite(from) && !(Math.abs(to - from) <= interval);
  return [
    ...differs(a.mean, b.mean, bounds.meanShare, bounds.meanMs) ? ["mean"] : [],
    ...differs(a.p99, b.p99, bounds.p99Share, bounds.p99Ms) ? ["p99"] : [],
    ...shareGap(a, b) > bounds.share ? ["shares"] : [],
    ...late(a.detection, b.detection) ? ["detection"] : [],
    ...late(a.failback, b.failback) ? ["failback"] : [],
  ];
}
