import { Command } from "@commander-js/extra-typings";
import { escapedJson, formatDuration, NS_PER_MS, UserError } from "../lib/base/mod.ts";
import type { Io } from "../lib/cli/mod.ts";
import { calibrate, type Calibration } from "./calibrate.ts";

/** `lbsim calibrate`: what this machine adds to a live run. */
export function calibrateCommand(io: Io) {
  return new Command("calibrate")
    .description(
      "Measure how much time real sockets add on this machine, and print it as keys of a scenario. It takes ten seconds.",
    )
    .option("--json", "print one JSON object", false)
    .addHelpText("after", MORE)
    .action(async ({ json }) => {
      const calibration = await calibrate(
        io.signal,
        (what) => io.status(`measuring: ${what}`),
      ).catch((error) => {
        if (!io.signal.aborted) throw error;
        throw new UserError("stopped before the end: there is no result");
      });
      io.status();
      if (json) io.out(escapedJson(asJson(calibration)));
      else calibrationLines(calibration).forEach((line) => io.out(line));
    });
}

const MORE = `
The simulator's defaults are zero. With the measured keys, its times are those of lbsim live on this machine:

  lbsim calibrate >> scenario.yaml        or
  lbsim sim scenario.yaml --set 'overheads={connect: 340us, relay_connection: 700us, relay_request: 250us}'`;

function asJson({ overheads, timerLateness, timeoutLateness }: Calibration) {
  return {
    connect_ms: overheads.connect / NS_PER_MS,
    relay_connection_ms: overheads.relayConnection / NS_PER_MS,
    relay_request_ms: overheads.relayRequest / NS_PER_MS,
    timer_lateness_ms: { p50: timerLateness.p50 / NS_PER_MS, p99: timerLateness.p99 / NS_PER_MS },
    timeout_lateness_ms: timeoutLateness / NS_PER_MS,
  };
}

function calibrationLines({ overheads, timerLateness, timeoutLateness }: Calibration): string[] {
  const { connect, relayConnection, relayRequest } = overheads;
  const ms = (duration: number) => `${(duration / NS_PER_MS).toFixed(2)} ms`;
  return [
    `# measured on this machine; timers are ${ms(timerLateness.p50)} late (99 %: ${
      ms(timerLateness.p99)
    }), setTimeout ${ms(timeoutLateness)}`,
    "overheads:",
    `  connect: ${formatDuration(connect)}`,
    `  relay_connection: ${formatDuration(relayConnection)}`,
    `  relay_request: ${formatDuration(relayRequest)}`,
  ];
}
