/**
 * How much of the gap of one scenario is chance: from which pick on both worlds differ, for several seeds; and how much
 * the figures of the simulator alone change if its overheads are slightly different.
 */
import { childSeed } from "../../../lib/base/mod.ts";
import { parseStudy } from "../../../lib/scenario/mod.ts";
import type { Overheads } from "../../../lib/scenario/types.ts";
import { runLive } from "../../../live/live_run.ts";
import { simulate } from "../../../sim/mod.ts";
import type { ReadyScenario } from "../../../sim/study/mod.ts";
import { type Figures, figuresOf, shareGap } from "./parity.ts";
import { PICK_EVENTS, PickLog, type Split, splitOf, type Swap } from "./picks.ts";
import type { ParityScenario } from "./scenarios.ts";

/** The result for one seed of a scenario. */
export interface Sensitivity {
  readonly split: Split;
  readonly simulated: Figures;
  readonly live: Figures;
  /** The simulator's figures with overheads that are up to 10 % smaller and larger. */
  readonly near: readonly Figures[];
  /** The largest difference of shares between two of `near`. */
  readonly nearShareGap: number;
}

const FACTORS = Array.from({ length: 21 }, (_, i) => 0.9 + i / 100);

/** In the table of chance: the lengths of the runs in seconds, the number of seeds, and the factors of the overheads. */
const DURATIONS = [10, 30, 60, 120, 240];
const SEEDS = 6;
const FEW_FACTORS = [0.9, 0.95, 1, 1.05, 1.1];

/**
 * The table of how much the shares of a backend differ by chance, from the simulator alone: for each duration, the
 * largest difference between two runs with the same seed and slightly different overheads.
 */
export function chanceRows(
  scenarios: readonly ParityScenario[],
  overheads: Overheads,
  durations: readonly number[] = DURATIONS,
): string[][] {
  const rows = scenarios.map(({ name, text }) => [
    name.replace("least-connections, ", ""),
    ...durations.map((duration) => {
      const set = [`duration=${duration}s`];
      const { seed, variants } = parseStudy({ scenario: { file: name, text }, files: {}, set });
      const scenario = variants[0]!.scenario as ReadyScenario;
      const gaps = Array.from({ length: SEEDS }, (_, number) => {
        const runs = FEW_FACTORS.map((factor) =>
          figuresOf(
            simulate(
              { ...scenario, overheads: scaled(overheads, factor) },
              childSeed(seed, "parity", ...number === 0 ? [] : [number]),
            ),
          )
        );
        return largestGap(runs);
      });
      return `${(100 * Math.max(...gaps)).toFixed(1)} pp`;
    }),
  ]);
  return [["scenario, with least-connections", ...durations.map((one) => `${one} s`)], ...rows];
}

function largestGap(figures: readonly Figures[]): number {
  return Math.max(...figures.flatMap((one) => figures.map((other) => shareGap(one, other))));
}

/** Runs one seed in both worlds, and in virtual time with slightly different overheads. */
export async function sensitivityOf(
  { name, text }: ParityScenario,
  overheads: Overheads,
  number: number,
  set: readonly string[],
): Promise<Sensitivity> {
  const study = parseStudy({ scenario: { file: name, text }, files: {}, set });
  const scenario = study.variants[0]!.scenario as ReadyScenario;
  const seed = childSeed(study.seed, "parity", ...number === 0 ? [] : [number]);
  const inVirtualTime = (by: number, log?: PickLog) =>
    figuresOf(
      simulate({ ...scenario, overheads: scaled(overheads, by) }, seed, {
        observe: log && { configuration: {}, read: (event) => log.read(event) },
      }),
    );
  const [a, b] = [new PickLog(), new PickLog()];
  const simulated = inVirtualTime(1, a);
  const { result } = await runLive(scenario, seed, {
    signal: new AbortController().signal,
    series: false,
    observe: (events) => void events.subscribe("picks", PICK_EVENTS, (event) => b.read(event)),
  });
  const near = FACTORS.map((factor) => inVirtualTime(factor));
  return {
    split: splitOf(a, b),
    simulated,
    live: figuresOf(result),
    near,
    nearShareGap: largestGap(near),
  };
}

function scaled({ connect, relayConnection, relayRequest }: Overheads, by: number): Overheads {
  return {
    connect: Math.round(connect * by),
    relayConnection: Math.round(relayConnection * by),
    relayRequest: Math.round(relayRequest * by),
  };
}

/** One line about one seed. */
export function sensitivityCells({ split, simulated, live, near, nearShareGap }: Sensitivity) {
  const ms = (value: number) => value.toFixed(1);
  const p99s = near.map(({ p99 }) => p99);
  const means = near.map(({ mean }) => mean);
  const range = (values: readonly number[]) =>
    `${ms(Math.min(...values))} to ${ms(Math.max(...values))}`;
  return [
    split.first === undefined ? `none of ${split.picks}` : `${split.first} of ${split.picks}`,
    split.swap === undefined ? "" : swapText(split.swap),
    ms(live.mean),
    `${ms(simulated.mean)} (${range(means)})`,
    ms(live.p99),
    `${ms(simulated.p99)} (${range(p99s)})`,
    `${(100 * shareGap(simulated, live)).toFixed(1)} pp`,
    `${(100 * nearShareGap).toFixed(1)} pp`,
  ];
}

function swapText({ kind, events, apartMs, lateMs }: Swap): string {
  const pair = events.join(", ");
  return `${kind} (${pair}: ${apartMs.toFixed(2)} ms apart, ${lateMs.toFixed(2)} ms late)`;
}
