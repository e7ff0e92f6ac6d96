import { Command, Option } from "@commander-js/extra-typings";
import {
  escapeText,
  formatDuration,
  type Nanoseconds,
  NS_PER_MS,
  NS_PER_S,
  UserError,
} from "../lib/base/mod.ts";
import {
  durationOption,
  type ExitCode,
  fileOption,
  integerOption,
  type Io,
  nameOption,
} from "../lib/cli/mod.ts";
import { loadStudy } from "../lib/files/load_study.ts";
import { monotonicNow } from "../lib/io/mod.ts";
import type { ReplicationResult } from "../lib/metrics/mod.ts";
import type { Study } from "../lib/scenario/mod.ts";
import { replicationSeed } from "../lib/workload/mod.ts";
import { refuseTwoFormats, refuseUnwritable, showStudy, withOutput } from "../sim/show.ts";
import type { ReadyScenario } from "../sim/study/mod.ts";
import { LIVE_TIME_MAX, liveTime, requireFeasible } from "./feasible.ts";
import { Lan, type LanOptions } from "./lan.ts";
import { runLive } from "./live_run.ts";
import type { MakeSystem } from "./live_system.ts";

/** If arrivals were late by more than this on average, the machine was too busy, and the result is not useful. */
const LATE: Nanoseconds = NS_PER_MS;

/** What adds the latency of the scenario to messages: this process, netem, or the real network. */
const NETWORKS = ["process", "netem", "real"] as const;

/** `lbsim live`: runs a scenario on real sockets of this machine. */
export function liveCommand(io: Io) {
  return withOutput(
    new Command("live")
      .description(
        "Run a scenario on real sockets of this machine, in real time: backends, balancers, clients and faults.",
      )
      .argument("<file>", "a scenario, as for lbsim sim", fileOption)
      .option("--set <key=value>", "override a setting of the file; may be repeated", collect)
      .option(
        "--seed <n>",
        "seed of the random numbers: the same seed gives the arrivals and jobs of lbsim sim",
        integerOption(0),
      )
      .option("--replications <n>", "number of runs of each variant (default: 1)", integerOption(1))
      .option(
        "-c, --config <file>",
        "run the scenario on the balancer and the backends of this configuration, through their admin APIs; they must be running",
        fileOption,
      )
      .addOption(
        new Option(
          "--network <kind>",
          "process: lbsim delays messages by the latency of the scenario (default). netem: the kernel delays them, in network namespaces; needs Linux, root and `deno task live:netem`. real: with --config; the real network has this latency already, and lbsim delays nothing",
        ).choices(NETWORKS).argParser(nameOption("--network", NETWORKS)),
      )
      .option(
        "--ca <file>",
        "with --config, if the APIs speak TLS: also trust the CAs in this PEM file",
        fileOption,
      )
      .option(
        "--limit <duration>",
        "do not start a study that would take longer (default: 1h)",
        durationOption,
      ),
  ).addHelpText("after", MORE)
    .action(async (file, options) => {
      const {
        seed,
        replications,
        set = [],
        limit = LIVE_TIME_MAX,
        config,
        ca,
        network,
        ...output
      } = options;
      refuseTwoFormats(output);
      refuseIneffective({ config, ca, network });
      await refuseUnwritable(output);
      const study = await loadStudy(file, [
        ...set,
        ...seed === undefined ? [] : [`seed=${seed}`],
        `replications=${replications ?? 1}`,
        ...output.expect ? [] : ["expect=[]"],
      ]);
      requireFeasible(study, limit);
      if (network === "netem") {
        const { runInNamespaces, thisMachine } = await import("./netem.ts");
        const code = await runInNamespaces(io, study, Deno.args, await thisMachine());
        return io.setExitCode(code as ExitCode);
      }
      const lan = config === undefined
        ? undefined
        : await openLan(io, study, { file: config, ca, hasLatency: network === "real" });
      const started = monotonicNow();
      const results = await runAll(io, study, lan?.system);
      const wallSeconds = () => (monotonicNow() - started) / NS_PER_S;
      if (!io.signal.aborted) {
        return await showStudy(io, study, "live", results, wallSeconds, output);
      }
      const part = measuredPart(study, results);
      if (part.study.variants.length === 0) io.err("lbsim: stopped before anything was measured");
      else {
        io.err(
          `lbsim: stopped after ${seconds(monotonicNow() - started)} s: ` +
            "the result is what was measured until then",
        );
        const shown = { ...output, expect: false, interrupted: true };
        await showStudy(io, part.study, "live", part.results, wallSeconds, shown);
      }
      io.setExitCode(130);
    });
}

const MORE = `
The same seed gives the arrivals, clients and jobs of lbsim sim, so that you can
compare the two results. A run takes as long as the scenario's duration. If this
machine cannot run the scenario, lbsim gives the reason and starts nothing.

Exit codes: 0: the expectations of the scenario hold. 1: one of them does not.
130: Ctrl-C ended the run; the result so far has been printed.

Examples:
  lbsim live examples/slow-server.yaml --set duration=20s --json > live.json
  lbsim sim examples/slow-server.yaml --set duration=20s --replications 1 \\
    --json > sim.json
  lbsim compare sim.json live.json
  lbsim live scenario.yaml --config config.yaml

With --config, the balancer and the backends of a LAN run the scenario. Start
them first. lbsim live changes their settings through their admin APIs, and
restores them at the end. Each backend needs the key \`admin\`.`;

type Results = readonly (readonly ReplicationResult[])[];

/**
 * The measured part of a study that was ended early: the variants that have a run. All have the same number of runs,
 * because they are compared run by run.
 */
function measuredPart(study: Study, results: Results): { study: Study; results: Results } {
  const measured = results.map((runs) => runs.filter(({ requests }) => requests.offered > 0));
  const counts = measured.map(({ length }) => length).filter((count) => count > 0);
  const variants = study.variants.filter((_, i) => measured[i]!.length > 0);
  return {
    study: { ...study, variants },
    results: measured.filter((runs) => runs.length > 0).map((runs) =>
      runs.slice(0, Math.min(...counts))
    ),
  };
}

/** @throws {UserError} if an option needs another option, or excludes it. */
function refuseIneffective(
  { config, ca, network }: {
    readonly config: string | undefined;
    readonly ca: string | undefined;
    readonly network: typeof NETWORKS[number] | undefined;
  },
): void {
  const refuse = (message: string): never => {
    throw new UserError(message, { exitCode: 2 });
  };
  if (ca !== undefined && config === undefined) refuse("--ca needs --config");
  if (network === "real" && config === undefined) refuse("--network real needs --config");
  if (network === "netem" && config !== undefined) {
    refuse("--network netem makes a network of its own: it takes no --config");
  }
}

/** The LAN of a configuration, which can run the study. */
async function openLan(
  io: Io,
  study: Study,
  where: Pick<LanOptions, "file" | "ca" | "hasLatency">,
): Promise<Lan> {
  const { signal, hurry } = io;
  const warn = (sentence: string, isLeft = false) => {
    io.status();
    io.err(`lbsim: ${escapeText(sentence)}`);
    if (isLeft) io.setExitCode(1);
  };
  return await Lan.open({ ...where, signal, hurry, warn }, study);
}

/**
 * Runs all replications, one after the other, and shows the progress. After Ctrl-C, it returns the measurements so far.
 */
async function runAll(io: Io, study: Study, system?: MakeSystem): Promise<Results> {
  const started = monotonicNow();
  const total = liveTime(study);
  const replications = "replications" in study.repetition ? study.repetition.replications : 1;
  const results: ReplicationResult[][] = study.variants.map(() => []);
  let late: Nanoseconds = 0;
  for (let replication = 0; replication < replications; replication++) {
    for (const [i, { scenario, name }] of study.variants.entries()) {
      if (io.signal.aborted) break;
      const run = await runLive(
        scenario as ReadyScenario,
        replicationSeed(study.seed, replication),
        {
          signal: io.signal,
          series: replication === 0,
          system,
          progress: (_, ended) => {
            const elapsed = seconds(monotonicNow() - started);
            io.status(`${name}: ${ended} requests done, ${elapsed} of ${seconds(total)} s`);
          },
        },
      ).catch((error) => {
        if (!io.signal.aborted) throw error;
      });
      if (run === undefined) break;
      results[i]!.push(run.result);
      late = Math.max(late, run.lateness.mean);
    }
  }
  io.status();
  if (late > LATE) {
    io.err(
      `lbsim: this machine was too busy: connections began ${
        formatDuration(Math.round(late / NS_PER_MS) * NS_PER_MS)
      } late on average, so times are too long`,
    );
  }
  return results;
}

function seconds(duration: Nanoseconds): string {
  return (duration / NS_PER_S).toFixed(0);
}

function collect(value: string, all: string[] = []): string[] {
  return [...all, value];
}
