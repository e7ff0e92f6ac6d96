import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import {
  type Address,
  childSeed,
  createRandom,
  escapeText,
  formatAddress,
  UserError,
} from "../lib/base/mod.ts";
import {
  addressOption,
  fileOption,
  integerOption,
  type Io,
  nameOption,
  parsed,
  positiveDurationOption,
  shareOption,
  startLogging,
} from "../lib/cli/mod.ts";
import { type KeyPair, loadConfig, loadKeyPair } from "../lib/files/mod.ts";
import { BACKEND_ID } from "../lib/config/mod.ts";
import { durationSampler, parseDistribution } from "../lib/scenario/distribution.ts";
import { giveUp, untilAborted } from "../lib/io/mod.ts";
import { requestLogger, totalsInWords } from "./backend_log.ts";
import { BackendServer } from "./server.ts";

const LEVELS = ["debug", "info"] as const;

/** `--id B1`: the name of a backend. */
function backendId(text: string): string {
  if (!BACKEND_ID.test(text)) {
    throw new InvalidArgumentError("it must be a name of letters, digits, dots, - and _, like B1");
  }
  return text;
}

/** `lbsim backend`: the echo server. */
export function backendCommand(io: Io) {
  return new Command("backend")
    .description(
      "Run a backend. It answers `Hello from B1: <line>` to a line, and answers HTTP requests, too.",
    )
    .argument(
      "[host:port]",
      "the address to listen on; with --config, it is the address of the backend with this --id",
    )
    .option("-i, --id <id>", "the backend's name", backendId, "B1")
    .option("-c, --config <file>", "take the address from this configuration file", fileOption)
    .option(
      "--latency <duration>",
      "service time of a request: 20ms, or a distribution like exponential(20ms) or lognormal(20ms,1)",
      (text) => parsed(() => parseDistribution(text)),
    )
    .option(
      "--slots <n>",
      "number of requests that are served at the same time; others wait",
      integerOption(1),
    )
    .option(
      "--fail-rate <share>",
      "share of requests that fail, like 10%: for a line the backend closes the connection, for HTTP it answers with status 500",
      shareOption,
    )
    .option(
      "--idle-timeout <duration>",
      "close a connection after this time without data from or to its client (10m)",
      positiveDurationOption,
    )
    .option("--tls-cert <file>", "speak TLS with the certificate in this PEM file", fileOption)
    .option("--tls-key <file>", "the private key of the certificate, a PEM file", fileOption)
    .option(
      "--seed <n>",
      "seed of the random choices: the same seed gives the same choices",
      integerOption(0),
    )
    .addOption(
      new Option("--log-level <level>", "debug: log each request")
        .choices(LEVELS).argParser(nameOption("--log-level", LEVELS)).default("info" as const),
    )
    .addHelpText("after", EXAMPLES)
    .action(async (where, options) => {
      const { id, config, latency, slots, failRate, idleTimeout, tlsCert, tlsKey, seed, logLevel } =
        options;
      startLogging({ level: logLevel, format: "pretty" }, io.log);
      const address = await addressOf(where, id, config);
      const root = seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!;
      const server = new BackendServer(id, {
        latency: latency && durationSampler(latency, createRandom(childSeed(root, "latency"))),
        slots,
        failRate,
        idleTimeout,
        tls: await pairOf(tlsCert, tlsKey),
        onRequest: requestLogger(id, logLevel),
      }, createRandom(childSeed(root, "failures")));
      const listening = server.start(address);
      // It accepts connections; it opens none, and no files.
      await giveUp("read", "write", "net", "sys");
      io.out(`${escapeText(id)} listening on ${formatAddress(listening)}`);
      io.hurry.addEventListener("abort", () => void server.kill());
      await Promise.race([untilAborted(io.signal), server.accepting])
        .finally(() => server.stop());
      io.out(`${escapeText(id)} stopped: ${totalsInWords(server.totals)}`);
    });
}

async function pairOf(certificate?: string, key?: string): Promise<KeyPair | undefined> {
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate !== undefined && key !== undefined) {
    return await loadKeyPair(certificate, key, Date.now());
  }
  throw new UserError("--tls-cert and --tls-key must be used together", { exitCode: 2 });
}

const EXAMPLES = `
Examples:
  lbsim backend 127.0.0.1:9001 --id B1
  lbsim backend --config config.yaml --id B2 --latency "exponential(20ms)" --slots 4`;

async function addressOf(
  where: string | undefined,
  id: string,
  file: string | undefined,
): Promise<Address> {
  if (where !== undefined) return addressOption("HOST:PORT", where);
  if (file === undefined) {
    throw new UserError("an address to listen on is missing", {
      exitCode: 2,
      hint: "lbsim backend 127.0.0.1:9001 --id B1, or lbsim backend --config config.yaml --id B1",
    });
  }
  const { backends } = await loadConfig(file);
  const backend = backends.find((one) => one.id === id);
  if (backend === undefined) {
    throw new UserError(`${file} has no backend "${id}"`, {
      exitCode: 2,
      hint: `there is: ${backends.map((one) => one.id).join(", ")}`,
    });
  }
  return backend.address;
}
