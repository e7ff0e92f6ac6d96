import { Command } from "@commander-js/extra-typings";
import { styleText } from "node:util";
import type { Io } from "../lib/cli/io.ts";
import { durationOption, integerOption, shareOption } from "../lib/cli/options.ts";
import { loadConfig } from "../lib/config/mod.ts";
import { ALGORITHM_NAMES, NS_PER_MS, NS_PER_S } from "../lib/core/mod.ts";
import { formatDuration } from "../lib/duration.ts";
import type { Estimate } from "../lib/stats/estimate.ts";
import { UserError } from "../lib/user_error.ts";
import { compare, type Comparison, type Margin, type Outcome } from "./comparison.ts";

/** `lbsim sim`: the same scheduler, in virtual time. */
export function simCommand(io: Io) {
  return new Command("sim")
    .description("Simulate a configuration in virtual time and compare the algorithms on it.")
    .option("-c, --config <file>", "the balancer's configuration, unchanged", "config.yaml")
    .option(
      "--load <share>",
      "offered work, as a share of what the backends can do (80%)",
      shareOption,
    )
    .option("--service <duration>", "mean time to serve a request (10ms)", durationOption)
    .option("--duration <duration>", "simulated time of each replication (1m)", durationOption)
    .option("--replications <n>", "independent repetitions", integerOption(2), 10)
    .option("--seed <n>", "the same seed gives the same numbers", integerOption(0), 1)
    .option("--json", "print one JSON object", false)
    .addHelpText("after", MODEL)
    .action(async ({ config: file, load = 0.8, replications, seed, json, ...options }) => {
      const { service = 10 * NS_PER_MS, duration = 60 * NS_PER_S } = options;
      if (load <= 0 || load >= 1) {
        throw new UserError(`--load ${load * 100}%: from 100% on, queues grow without end`, {
          exitCode: 2,
          hint: "a load is above 0% and below 100%",
        });
      }
      const config = await loadConfig(file);
      const comparison = compare(config, {
        algorithms: ALGORITHM_NAMES,
        load,
        service,
        duration,
        replications,
        seed,
      });
      if (json) {
        io.out(JSON.stringify({
          file,
          load,
          service_ms: service / NS_PER_MS,
          duration_s: duration / NS_PER_S,
          replications,
          seed,
          ...comparison,
        }));
        return;
      }
      io.out(
        `${file}: ${config.backends.length} backends at ${Math.round(load * 100)} % load, ` +
          `requests of ${formatDuration(service)}, ` +
          `${replications} × ${formatDuration(duration)} simulated, seed ${seed}`,
      );
      io.out("");
      table(comparison).forEach((line) => io.out(line));
      io.out("");
      verdict(comparison).forEach((line) =>
        io.out(io.color ? styleText("green", line, { validateStream: false }) : line)
      );
    });
}

const MODEL = `
The model: clients arrive at random (Poisson), each with one connection and one request; services are
exponential; a backend serves one request at a time, first come, first served; every hop takes 0.2 ms;
probes run as configured. All algorithms meet the same clients and the same jobs. ± is a 95 % interval.`;

function table({ outcomes }: Comparison): string[] {
  const rows = outcomes.map(({ algorithm, sojourn_ms, done, failed }: Outcome) => [
    algorithm,
    plusMinus(sojourn_ms.mean),
    plusMinus(sojourn_ms.p50),
    plusMinus(sojourn_ms.p99),
    sojourn_ms.max.toFixed(0),
    String(done),
    String(failed),
  ]);
  const all = [["algorithm", "mean ms", "p50 ms", "p99 ms", "max ms", "done", "failed"], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)
    ).join("  ")
  );
}

function verdict({ winner, margins }: Comparison): string[] {
  return margins.map(({ over, p99_ms }: Margin) =>
    p99_ms.low > 0
      ? `${winner} beats ${over} by ${plusMinus(p99_ms)} ms at p99`
      : `${winner} and ${over} cannot be told apart: ${plusMinus(p99_ms)} ms at p99`
  );
}

function plusMinus({ value, high }: Estimate): string {
  const half = high - value;
  const digits = half < 0.1 ? 2 : 1;
  return `${value.toFixed(digits)} ± ${half.toFixed(digits)}`;
}
