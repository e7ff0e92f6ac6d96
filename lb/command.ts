import { Command, Option } from "@commander-js/extra-typings";
import { fileOption, integerOption, type Io, nameOption, startLogging } from "../lib/cli/mod.ts";
import { type Certificates, loadListeningConfig } from "../lib/files/mod.ts";
import { ALGORITHM_NAMES } from "../lib/core/mod.ts";
import {
  recordFilesOption,
  recordKeyOption,
  recordMaxSizeOption,
  recordOption,
  recordOptions,
} from "./recording/mod.ts";
import { FileWatch, untilAborted } from "../lib/io/mod.ts";
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
    .addOption(recordOption())
    .addOption(recordMaxSizeOption())
    .addOption(recordFilesOption())
    .addOption(recordKeyOption())
    .action(async ({ config: file, explain, explainEvery, ...options }) => {
      const { record: _, recordMaxSize: __, recordFiles: ___, recordKey: ____, ...overrides } =
        options;
      const record = recordOptions(options);
      const read = (inUse?: Certificates) =>
        loadListeningConfig(file, overrides, Date.now(), inUse);
      using watch = new FileWatch();
      await watch.watch([file]);
      // A read from a pipe or a network file system may never end. A stop does not wait for it.
      const loaded = await Promise.race([read(), untilAborted(io.signal)]);
      if (loaded === undefined) return;
      startLogging(loaded.config.log, io.log);
      const every = explainEvery ?? (explain ? 1 : undefined);
      await serveBalancer(loaded, io, {
        explainEvery: every,
        record,
        reload: { file, read, watch },
      });
    });
}
