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
  logger,
  logSentence,
  nameOption,
  parsed,
  positiveDurationOption,
  shareOption,
  startLogging,
} from "../lib/cli/mod.ts";
import { type KeyPair, loadConfig, loadKeyPair } from "../lib/files/mod.ts";
import { type AdminSettings, prepareTokenFile } from "../lib/admin/mod.ts";
import { BACKEND_ID, type Config } from "../lib/config/mod.ts";
import { durationSampler, parseDistribution } from "../lib/scenario/distribution.ts";
import { giveUp, untilAborted } from "../lib/io/mod.ts";
import { backendAdminSettings, startBackendAdmin } from "./admin.ts";
import { faultLogger, jobsLogger, requestLogger, totalsInWords } from "./backend_log.ts";
import { BackendFaults } from "./faults.ts";
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
      "the address to listen on (default with --config: the address of the backend --id in that file)",
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
      "number of requests that are served at the same time; other requests wait",
      integerOption(1),
    )
    .option(
      "--fail-rate <share>",
      "share of requests that fail, like 10%: for a line the backend closes the connection, for HTTP it answers with status 500",
      shareOption,
    )
    .option(
      "--idle-timeout <duration>",
      "close a connection after this time without data from or to its client (default: 10m)",
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
    .option(
      "--admin <host:port>",
      "address of the backend's admin API, which injects faults (default with --config: the backend's key `admin` in that file)",
      (text) => addressOption("--admin", text),
    )
    .option(
      "--token-file <file>",
      "file with the token for the admin API; it is created if it does not exist",
      fileOption,
    )
    .addHelpText("after", EXAMPLES)
    .action(async (where, options) => {
      const { id, config, latency, slots, failRate, idleTimeout, tlsCert, tlsKey, seed, logLevel } =
        options;
      startLogging({ level: logLevel, format: "pretty" }, io.log);
      const { address, admin } = await placeOf(where, id, config, options);
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
      const faults = new BackendFaults(server, { report: faultLogger(id) });
      const api = admin && await startBackendAdmin(faults, admin, warn, jobsLogger(id));
      // From now on the backend only accepts connections, and opens no files. With an admin API it keeps two
      // permissions: `net`, because faults close and open its listener, and `read`, to read the token at each change.
      await giveUp("write", "sys", ...admin === undefined ? ["net", "read"] as const : []);
      io.out(`${escapeText(id)} listening on ${formatAddress(listening)}`);
      if (api !== undefined) io.out(`admin API on ${api.url}`);
      io.hurry.addEventListener("abort", () => void server.kill());
      await Promise.race([untilAborted(io.signal), server.accepting])
        .finally(() => Promise.all([api?.stop(), faults.end(), server.stop()]));
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
  lbsim backend --config config.yaml --id B2 --latency "exponential(20ms)" --slots 4
  lbsim backend 127.0.0.1:9001 --admin 127.0.0.1:9901 --token-file admin.token`;

function warn(sentence: string): void {
  logSentence(logger("backend"), "warning", sentence, { event: "admin_warning" });
}

/** The addresses on which a backend and its admin API listen. */
interface Place {
  readonly address: Address;
  /** Undefined if it has no admin API. */
  readonly admin: AdminSettings | undefined;
}

/** The flags of the admin API. */
interface AdminFlags {
  readonly admin?: Address | undefined;
  readonly tokenFile?: string | undefined;
}

async function placeOf(
  where: string | undefined,
  id: string,
  file: string | undefined,
  flags: AdminFlags,
): Promise<Place> {
  const config = file === undefined ? undefined : await loadConfig(file);
  const backend = config && backendIn(config, id, file!);
  const tokenFile = flags.tokenFile ?? config?.admin.tokenFile;
  const listen = flags.admin ?? backend?.admin;
  if (flags.tokenFile !== undefined && listen === undefined) {
    throw new UserError("--token-file needs --admin", { exitCode: 2 });
  }
  if (flags.admin !== undefined && tokenFile === undefined) {
    throw new UserError("--admin needs a token: without one, it refuses every change", {
      exitCode: 2,
      hint: "add --token-file admin.token",
    });
  }
  const address = where === undefined ? backend?.address : addressOption("HOST:PORT", where);
  if (address === undefined) {
    throw new UserError("an address to listen on is missing", {
      exitCode: 2,
      hint: "lbsim backend 127.0.0.1:9001 --id B1, or lbsim backend --config config.yaml --id B1",
    });
  }
  if (listen !== undefined && tokenFile !== undefined) await prepareTokenFile(tokenFile, warn);
  const { hosts = [], tls } = config?.admin ?? {};
  return {
    address,
    admin: backendAdminSettings(listen, {
      hosts,
      ...tokenFile !== undefined && { tokenFile },
      ...tls !== undefined && { tls },
    }),
  };
}

function backendIn({ backends }: Config, id: string, file: string): Config["backends"][number] {
  const backend = backends.find((one) => one.id === id);
  if (backend !== undefined) return backend;
  throw new UserError(`${file} has no backend "${id}"`, {
    exitCode: 2,
    hint: `one of: ${backends.map((one) => one.id).join(", ")}`,
  });
}
