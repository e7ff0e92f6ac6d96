import { Command, Option } from "@commander-js/extra-typings";
import {
  fileOption,
  integerOption,
  type Io,
  nameOption,
  sizeOption,
  startLogging,
} from "../lib/cli/mod.ts";
import { UserError } from "../lib/base/mod.ts";
import { type Certificates, loadListeningConfig } from "../lib/files/mod.ts";
import { ALGORITHM_NAMES } from "../lib/core/mod.ts";
import type { RecordOptions } from "./recording/mod.ts";
import { serveBalancer } from "./serve.ts";

const LEVELS = ["debug", "info", "warning", "error"] as const;
const FORMATS = ["auto", "pretty", "json"] as const;

/** `lbsim lb`: the live balancer. */
export function lbCommand(io: Io) {
  return new Command("lb")
    .description("Run the TCP load balancer.")
    .option("-c, --config <file>", "the configuration file", fileOption, "config.yaml")
    .option("-l, --listen <host:port>", "listen on this address instead of the file's")
    .addOption(
      new Option("-a, --algorithm <name>", "use this algorithm instead of the file's")
        .choices(ALGORITHM_NAMES).argParser(nameOption("--algorithm", ALGORITHM_NAMES)),
    )
    .addOption(
      new Option("--log-level <level>", "log messages of this level and above")
        .choices(LEVELS).argParser(nameOption("--log-level", LEVELS)),
    )
    .addOption(
      new Option("--log-format <format>", "auto: pretty on a terminal, JSON otherwise")
        .choices(FORMATS).argParser(nameOption("--log-format", FORMATS)),
    )
    .option("--no-log-connections", "do not log each connection")
    .option("--explain", "log for each client which backend it got, and why")
    .option("--explain-every <n>", "the same, only for every n-th client", integerOption(1))
    .option("--record <file>", "record all events, for `lbsim sim --replay`", fileOption)
    .option(
      "--record-max-size <size>",
      "begin a new file when the recording has this size (default: 100MB)",
      sizeOption,
    )
    .option(
      "--record-files <n>",
      "keep so many files: the present one, <file>.1, <file>.2 … (default: 5)",
      integerOption(1),
    )
    .action(async ({ config: file, explain, explainEvery, ...options }) => {
      const { record: _, recordMaxSize: __, recordFiles: ___, ...overrides } = options;
      const record = recordOptions(options);
      const read = (inUse?: Certificates) =>
        loadListeningConfig(file, overrides, Date.now(), inUse);
      const loaded = await read();
      startLogging(loaded.config.log, io.log);
      const every = explainEvery ?? (explain ? 1 : undefined);
      await serveBalancer(loaded, io, { explainEvery: every, record, reload: { file, read } });
    });
}

const RECORD_MAX_BYTES = 100 * 1024 * 1024;
const RECORD_FILES = 5;

/** @throws {UserError} if there are details of a recording, but no recording. */
function recordOptions({ record, recordMaxSize, recordFiles }: {
  readonly record?: string | undefined;
  readonly recordMaxSize?: number | undefined;
  readonly recordFiles?: number | undefined;
}): RecordOptions | undefined {
  if (record !== undefined) {
    const [maxBytes, files] = [recordMaxSize ?? RECORD_MAX_BYTES, recordFiles ?? RECORD_FILES];
    return { file: record, maxBytes, files };
  }
  const flag = recordMaxSize !== undefined
    ? "--record-max-size"
    : recordFiles !== undefined
    ? "--record-files"
    : undefined;
  if (flag === undefined) return undefined;
  throw new UserError(`${flag} is about a recording: add --record FILE`, { exitCode: 2 });
}
