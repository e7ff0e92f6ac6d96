import { Command, InvalidArgumentError } from "@commander-js/extra-typings";
import deno from "../deno.json" with { type: "json" };
import { fileOption, integerOption, type Io, nameOption } from "../lib/cli/mod.ts";
import { ALGORITHM_NAMES } from "../lib/core/mod.ts";
import { TRACE_NAME, type WhatIf } from "../lib/recording/mod.ts";
import { monotonicNow } from "../lib/io/mod.ts";
import { loadStudy } from "../lib/files/load_study.ts";
import { readText } from "../lib/files/mod.ts";
import { escapedJson, type Nanoseconds, NS_PER_S, UserError } from "../lib/base/mod.ts";
import { parseStudy, type Study, type StudyInputs } from "../lib/scenario/mod.ts";
import { replayRecording } from "./replay/mod.ts";
import {
  byVariant,
  Forecast,
  mergeShards,
  parseShard,
  runStudy,
  type Shard,
  type ShardFile,
  type TaskResult,
} from "./study/mod.ts";
import { type Output, refuseTwoFormats, refuseUnwritable, showStudy, withOutput } from "./show.ts";
import { WorkerPool } from "./threads/mod.ts";
import { judge, selftestStudies, type Verdict, verdictLines } from "./theory/mod.ts";

/** The largest file of a shard, in bytes. The file of a large study has many histograms. */
const SHARD_BYTES_MAX = 2 ** 30;

/**
 * `lbsim sim`: runs a scenario in virtual time, with the same scheduler as the live balancer.
 *
 * @param program The program, which the threads load.
 */
export function simCommand(io: Io, program: string) {
  const command = withOutput(
    new Command("sim")
      .description("Simulate a scenario in virtual time, or a config.yaml with every algorithm.")
      .argument("[file]", "a scenario, or a balancer's configuration", fileOption, "config.yaml")
      .option("--set <key=value>", "override a setting of the file; may be repeated", collect)
      .option(
        "--seed <n>",
        "seed of the random numbers: the same seed gives the same results",
        integerOption(0),
      )
      .option("--replications <n>", "number of independent runs of each variant", integerOption(1))
      .option(
        "--jobs <n>",
        "number of threads (default and maximum: one for each core)",
        integerOption(1),
      )
      .option(
        "--replay <recording>",
        "repeat the decisions of a recording of \`lbsim lb --record\`",
        fileOption,
      )
      .option(
        "--algorithm <names>",
        "with --replay: simulate the recorded traffic also with these algorithms, like maglev,random",
        algorithmsOption,
      )
      .option(
        "--backends <numbers>",
        "with --replay: simulate the recorded traffic also with these numbers of backends, like 2,4",
        numbersOption,
      )
      .option(
        "--until-damage",
        "if the recording is damaged, use the part before the damage",
        false,
      )
      .option("--shard <k/n>", "run the k-th of n parts and print it as JSON", shardOption)
      .option(
        "--selftest",
        "compare the simulator with queueing theory instead of running a file",
        false,
      ),
  ).addHelpText("after", MORE)
    .action(async (file, { seed, replications, jobs, shard, set = [], selftest, ...rest }) => {
      const { replay: recording, untilDamage, algorithm, backends, ...output } = rest;
      refuseTwoFormats(output);
      refuseWithoutReplay(recording, { untilDamage, algorithm, backends });
      if (selftest) return await runSelftest(io, program, jobs, output.json);
      if (shard !== undefined) refuseForms(output);
      await refuseUnwritable(output);
      const settings = [
        ...set,
        ...seed === undefined ? [] : [`seed=${seed}`],
        ...replications === undefined ? [] : [`replications=${replications}`],
        // `--set` may remove the variant that an expectation names.
        ...output.expect ? [] : ["expect=[]"],
      ];
      const replayed = recording === undefined ? undefined : await replayRecording(io, recording, {
        untilDamage,
        wanted: isWanted(set, algorithm, backends, output)
          ? { algorithms: algorithm ?? [], backends: backends ?? [] }
          : undefined,
      });
      if (replayed !== undefined) {
        if (replayed.differs) io.setExitCode(1);
        if (replayed.whatIf === undefined) {
          if (output.json) io.out(escapedJson(replayed.json));
          else replayed.lines.forEach((line) => io.out(line));
          return;
        }
        if (!output.json) {
          replayed.lines.forEach((line) => output.csv ? io.err(line) : io.out(line));
        }
      }
      const study = replayed?.whatIf === undefined
        ? await loadStudy(file, settings)
        : parseStudy(inputsOf(recording!, replayed.whatIf, settings));
      if (shard !== undefined && !("replications" in study.repetition)) {
        throw new UserError(
          "--shard: not possible with `precision`, since the number of runs is known only at the end",
          {
            exitCode: 2,
            hint: "use --replications",
          },
        );
      }
      const started = monotonicNow();
      const results = await run(io, program, study, { jobs, shard });
      const wallSeconds = () => (monotonicNow() - started) / NS_PER_S;
      if (shard === undefined) {
        const shown = { ...output, replay: replayed?.json };
        await showStudy(io, study, "sim", byVariant(study, results), wallSeconds, shown);
      } else io.out(escapedJson(shardFile(study, shard, results, wallSeconds())));
    });
  command.addCommand(mergeCommand(io));
  return command;
}

function mergeCommand(io: Io) {
  return withOutput(
    new Command("merge")
      .description("Combine the parts that --shard has printed, in any order.")
      // Leaves the options of `sim` out of the help: `merge` has its own options for those that it
      // uses.
      .configureHelp({ visibleGlobalOptions: ({ parent }) => [...parent?.parent?.options ?? []] })
      .argument("<files...>", "the output of each part"),
  ).action(async (files, _options, command) => {
    // `sim` has the same options, and accepts them in any position.
    const output: Output = command.optsWithGlobals();
    refuseTwoFormats(output);
    await refuseUnwritable(output);
    const shards = await Promise.all(files.map(async (file) => {
      const { text } = await readText(
        file,
        "name the files with the output of each --shard",
        SHARD_BYTES_MAX,
      );
      return { file, shard: parseShard(file, text) };
    }));
    const { study, results, wallSeconds } = mergeShards(deno.version, shards);
    await showStudy(io, study, "sim", byVariant(study, results), () => wallSeconds, output);
  });
}

/** The result of a shard is always JSON. */
function refuseForms({ html, csv, details }: Output): void {
  const flag = html !== undefined ? "--html" : csv ? "--csv" : details ? "--details" : undefined;
  if (flag === undefined) return;
  throw new UserError(
    `--shard prints a part of the result as JSON: use ${flag} with \`sim merge\``,
    {
      exitCode: 2,
    },
  );
}

const MORE = `
A scenario describes clients, service times, faults and expected results: see
docs/scenarios.md and the folder examples/. Given a config.yaml, sim simulates
every algorithm at 80 % load. ± is half of a 95 % confidence interval. The exit
code is 1 if an expectation of the scenario fails.

Examples:
  lbsim sim examples/gray-failure.yaml --html report.html
  lbsim sim --set workload.arrivals.load=95% \\
    --set service.lognormal='{mean: 10ms, sigma: 1}'
  lbsim sim big.yaml --shard 3/10 > part3.json  on the third of ten machines
  lbsim sim merge part*.json                    after all ten have finished`;

async function runSelftest(
  io: Io,
  program: string,
  jobs: number | undefined,
  json: boolean | undefined,
): Promise<void> {
  const verdicts: Verdict[] = [];
  for (const study of selftestStudies()) {
    verdicts.push(...judge(study, byVariant(study, await run(io, program, study, { jobs }))));
  }
  const failed = verdicts.filter(({ holds }) => !holds).length;
  if (json) io.out(escapedJson({ lbsim: deno.version, verdicts, failed }));
  else {
    verdictLines(verdicts).forEach((line) => io.out(line));
    io.out("");
    io.out(
      failed === 0
        ? `all ${verdicts.length} values agree with theory, within four standard errors`
        : `${failed} of ${verdicts.length} values disagree with theory`,
    );
  }
  if (failed > 0) io.setExitCode(1);
}

/** Runs the study, and shows its progress. */
async function run(
  io: Io,
  program: string,
  study: Study,
  { jobs = navigator.hardwareConcurrency, shard }: {
    readonly jobs?: number | undefined;
    readonly shard?: Shard | undefined;
  },
): Promise<TaskResult[]> {
  using pool = new WorkerPool(program, jobs, study);
  const forecast = new Forecast(monotonicNow());
  try {
    return await runStudy(study, pool, {
      shard,
      signal: io.signal,
      progress: (progress) => io.status(forecast.line(progress, monotonicNow(), io.columns)),
    });
  } catch (error) {
    if (io.signal.aborted) throw new UserError("stopped before the end: there is no result");
    throw error;
  } finally {
    io.status();
  }
}

function shardFile(
  { inputs }: Study,
  shard: Shard,
  results: readonly TaskResult[],
  wallSeconds: Nanoseconds,
): ShardFile {
  return { lbsim: deno.version, shard, inputs, wall_s: wallSeconds, results };
}

/** The scenario of recorded traffic. */
function inputsOf(
  recording: string,
  { scenario, trace }: WhatIf,
  set: readonly string[],
): StudyInputs {
  const file = `the traffic of ${recording}`;
  const files = { [TRACE_NAME]: { file: recording, text: trace } };
  return { scenario: { file, text: scenario }, files, set };
}

/** Whether the options ask for more than a comparison of the decisions. */
function isWanted(
  set: readonly string[],
  algorithms: readonly string[] | undefined,
  backends: readonly number[] | undefined,
  { html, csv }: Pick<Output, "html" | "csv">,
): boolean {
  return set.length > 0 || algorithms !== undefined || backends !== undefined ||
    html !== undefined || csv === true;
}

/** Refuses options that are about a recording if there is none. */
function refuseWithoutReplay(
  recording: string | undefined,
  { untilDamage, algorithm, backends }: {
    readonly untilDamage: boolean;
    readonly algorithm?: readonly string[] | undefined;
    readonly backends?: readonly number[] | undefined;
  },
): void {
  if (recording !== undefined) return;
  const flag = untilDamage
    ? "--until-damage"
    : algorithm !== undefined
    ? "--algorithm"
    : backends !== undefined
    ? "--backends"
    : undefined;
  if (flag === undefined) return;
  throw new UserError(`${flag} needs a recording: add --replay RECORDING`, {
    exitCode: 2,
    ...flag === "--algorithm" && { hint: "in a scenario, use --set balancer.algorithm=…" },
  });
}

function algorithmsOption(text: string): string[] {
  return text.split(",").map((name) => nameOption("--algorithm", ALGORITHM_NAMES)(name.trim()));
}

function numbersOption(text: string): number[] {
  return text.split(",").map((number) => integerOption(1)(number.trim()));
}

function collect(value: string, all: string[] = []): string[] {
  return [...all, value];
}

function shardOption(text: string): Shard {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const [index, of] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || index < 1 || index > of) {
    throw new InvalidArgumentError("it must be like 3/10, which means the third of ten parts");
  }
  return { index, of };
}
