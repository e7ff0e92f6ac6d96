import { Command } from "@commander-js/extra-typings";
import { escapedJson, escapeText, formatDuration, NS_PER_MS, UserError } from "../lib/base/mod.ts";
import { fileOption, type Io } from "../lib/cli/mod.ts";
import { isData, YamlFile } from "../lib/config/mod.ts";
import { studyOf } from "../lib/files/load_study.ts";
import { readText, refuseUnwritable, replaceText } from "../lib/files/mod.ts";
import { calibrate, type Calibration } from "./calibrate.ts";
import { withOverheads } from "./with_overheads.ts";

/** Measures how much time this machine adds. */
export type Calibrate = typeof calibrate;

/**
 * `lbsim calibrate`: measures how much time this machine adds to a live run.
 *
 * @param measure Takes the measurements.
 */
export function calibrateCommand(io: Io, measure: Calibrate = calibrate) {
  return new Command("calibrate")
    .description(
      "Measure how much time real sockets add on this machine, and print it as keys of a scenario. It takes ten seconds.",
    )
    .option("--write <scenario>", "write the keys into this scenario file", fileOption)
    .option("--json", "print one JSON object", false)
    .addHelpText("after", MORE)
    .action(async ({ json, write }) => {
      if (write !== undefined) {
        // If the file cannot be written, this must fail before the measurement, not after it.
        await readScenario(write);
        await refuseUnwritable(write);
      }
      const calibration = await measure(
        io.signal,
        (what) => io.status(`measuring: ${what}`),
      ).catch((error) => {
        if (!io.signal.aborted) throw error;
        throw new UserError("stopped before the end: there is no result");
      });
      io.status();
      const written = write === undefined ? undefined : await writeInto(write, calibration);
      if (json) io.out(escapedJson({ ...asJson(calibration), ...written }));
      else if (written === undefined) calibrationLines(calibration).forEach((line) => io.out(line));
      else {
        io.out(escapeText(`wrote ${written.file}:`));
        written.changes.forEach((line) => io.out(escapeText(`  ${line}`)));
      }
    });
}

/** @returns The file, and a line for each key that was written. */
async function writeInto(
  file: string,
  { overheads }: Calibration,
): Promise<{ readonly file: string; readonly changes: readonly string[] }> {
  // The file may have changed during the measurement.
  const { text, changes } = withOverheads(await readScenario(file), overheads);
  await replaceText(file, text);
  return { file, changes };
}

/**
 * The text of a scenario.
 *
 * @throws {UserError} if the file is not a valid scenario.
 */
async function readScenario(file: string): Promise<string> {
  const source = await readText(file, "--write needs a scenario that exists");
  const yaml = new YamlFile(source);
  if (isData(yaml.data) && "backends" in yaml.data) {
    throw new UserError(
      `${escapeText(file)}: is the configuration of a balancer, not a scenario`,
      { exitCode: 2, hint: "write a scenario with `extends: config.yaml`, and name that file" },
    );
  }
  await studyOf(yaml, []);
  return source.text;
}

const MORE = `
By default, the simulator adds no such times. With the measured keys, it adds
the times of this machine.

Examples:
  lbsim calibrate --write scenario.yaml
  lbsim sim scenario.yaml --set 'overheads={connect: 340us, relay_request: 250us}'`;

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
