/**
 * `deno task parity`: runs every scenario in both worlds and prints the gap. With `--write`, the table and a plot go to
 * docs/parity.md and docs/plots. `--repetitions N` runs each scenario N times live and takes the medians; `--only
 * WORDS` runs the scenarios with these words in their names.
 *
 * With `--seeds N`, it runs only the scenarios that compare numbers in flight, with N seeds each, and prints from which
 * pick on the worlds differ, and why. `--set duration=10s` sets the duration of these runs.
 *
 * With `--chance`, it prints only the table of how much the shares of a backend differ by chance, for the overheads
 * that docs/parity.md states; `--chance --write` writes the table there.
 */
import { formatDuration, parseDuration } from "../../../lib/base/mod.ts";
import type { Overheads } from "../../../lib/scenario/types.ts";
import { calibrate } from "../../../live/calibrate.ts";
import { BOUNDS, compareWorlds, type Gap, shareGap } from "./parity.ts";
import { parityPlot } from "./plot.ts";
import { PARITY_SCENARIOS } from "./scenarios.ts";
import { chanceRows, sensitivityCells, sensitivityOf } from "./sensitivity.ts";

const HEADS = [
  ...["scenario", "mean: sim", "with overheads", "live", "p99: sim", "with overheads", "live"],
  ...["shares differ by", "detection: sim, live", "outside its bound"],
];
const PAGE = "docs/parity.md";
const PLOT = "docs/plots/parity.svg";

function rowOf({ name, plain, simulated, live, outside }: Gap): string[] {
  const ms = (value: number) => value.toFixed(1);
  const detection = Number.isFinite(simulated.detection)
    ? `${simulated.detection.toFixed(0)}, ${live.detection.toFixed(0)}`
    : "";
  return [
    name,
    ...[plain.mean, simulated.mean, live.mean, plain.p99, simulated.p99, live.p99].map(ms),
    `${(100 * shareGap(simulated, live)).toFixed(1)} pp`,
    detection,
    outside.join(", "),
  ];
}

function tableOf(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(heads),
    line(heads.map((_, i) => i === 0 || i > 7 ? "---" : "--:")),
    ...rows.map(line),
  ];
}

/** Writes lines into the page, between the marks with a name. */
async function writeInto(mark: string, lines: readonly string[]): Promise<void> {
  const page = await Deno.readTextFile(PAGE);
  const [before, after] = [`<!-- ${mark}: begin -->`, `<!-- ${mark}: end -->`];
  const [head] = page.split(before);
  const tail = page.split(after)[1];
  await Deno.writeTextFile(PAGE, `${head}${[before, "", ...lines, "", after].join("\n")}${tail}`);
}

/** How much the shares differ by chance, with the overheads that the page states. */
async function chance(): Promise<string[]> {
  const page = await Deno.readTextFile(PAGE);
  const stated = (key: string) => parseDuration(new RegExp(`${key}\\s+(\\w+)`).exec(page)![1]!);
  const overheads = {
    connect: stated("machine: connect"),
    relayConnection: stated("relay_connection"),
    relayRequest: stated("relay_request"),
  };
  const scenarios = PARITY_SCENARIOS.filter(({ name, text }) =>
    name.startsWith("least-connections") && !text.includes("faults:")
  );
  const [heads, ...rows] = chanceRows(scenarios, overheads);
  return tableOf(heads!, rows);
}

async function printSensitivity(overheads: Overheads, seeds: number): Promise<void> {
  const only = optionOf("--only") ?? "least-connections";
  const set = [optionOf("--set") ?? []].flat();
  for (const scenario of PARITY_SCENARIOS.filter(({ name }) => name.includes(only))) {
    console.log(scenario.name);
    for (let seed = 0; seed < seeds; seed++) {
      const cells = sensitivityCells(await sensitivityOf(scenario, overheads, seed, set));
      console.log(`| ${[`${seed}`, ...cells].join(" | ")} |`);
    }
  }
}

function optionOf(name: string): string | undefined {
  const place = Deno.args.indexOf(name);
  return place < 0 ? undefined : Deno.args[place + 1];
}

async function main(): Promise<void> {
  if (Deno.args.includes("--chance")) {
    const lines = await chance();
    console.log(lines.join("\n"));
    if (Deno.args.includes("--write")) await writeInto("chance", lines);
    return;
  }
  const repetitions = Number(optionOf("--repetitions") ?? 3);
  const { overheads } = await calibrate(new AbortController().signal, () => {});
  const { connect, relayConnection, relayRequest } = overheads;
  const measured = `connect ${formatDuration(connect)}, relay_connection ${
    formatDuration(relayConnection)
  }, relay_request ${formatDuration(relayRequest)}`;
  console.log(`overheads of this machine: ${measured}`);
  const seeds = Number(optionOf("--seeds") ?? 0);
  if (seeds > 0) return await printSensitivity(overheads, seeds);
  const gaps: Gap[] = [];
  const only = optionOf("--only") ?? "";
  for (const scenario of PARITY_SCENARIOS.filter(({ name }) => name.includes(only))) {
    const gap = await compareWorlds(scenario, overheads, BOUNDS, { repetitions });
    gaps.push(gap);
    console.log(rowOf(gap).join("  "));
  }
  const rows = tableOf(HEADS, gaps.map(rowOf));
  const inside = gaps.filter(({ outside }) => outside.length === 0).length;
  const summary =
    `${inside} of ${gaps.length} scenarios are inside all bounds. Overheads of this machine: ${measured}. Times are in milliseconds; the live times are ${
      repetitions === 1 ? "those of one run" : `the medians of ${repetitions} runs`
    }.`;
  console.log(summary);
  if (!Deno.args.includes("--write")) return;
  await writeInto("measured", [summary, "", ...rows]);
  await writeInto("chance", await chance());
  await Deno.writeTextFile(PLOT, parityPlot(gaps));
}

await main();
