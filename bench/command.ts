import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { cpuUsage } from "node:process";
import { lookup } from "node:dns/promises";
import { dirname } from "node:path";
import {
  type Address,
  escapeAll,
  escapedJson,
  formatAddress,
  isLocal,
  type Nanoseconds,
  NS_PER_S,
  NS_PER_US,
  parseIp,
  parsePrefix,
  type Prefix,
  UserError,
  VERSION,
} from "../lib/base/mod.ts";
import {
  addressOption,
  fileOption,
  hostOption,
  integerOption,
  type Io,
  parsed,
  positiveDurationOption,
  rateOption,
} from "../lib/cli/mod.ts";
import {
  closeIfOpen,
  descriptorsLeft,
  type ExpectedPeer,
  giveUp,
  localAddresses,
  monotonicNow,
  timerDelay,
  writeFailure,
} from "../lib/io/mod.ts";
import {
  BackendNames,
  httpPayload,
  linePayload,
  type Payload,
  rawPayload,
  Tally,
} from "./core/mod.ts";
import { type Load, run, RunClock, Sources } from "./drive/mod.ts";
import { type Plan, planOf } from "./plan.ts";
import {
  type BenchResult,
  liveLine,
  resultCsv,
  resultLines,
  resultOf,
  resultPage,
} from "./report/mod.ts";

/**
 * The time between two updates of the live line. Its rate and percentiles are those of this time.
 */
const SHOW_EVERY: Nanoseconds = NS_PER_S;
const DEFAULT_TIMEOUT: Nanoseconds = 5 * NS_PER_S;
/** Descriptors that the generator needs besides its connections. */
const SPARE_DESCRIPTORS = 16;

/** `lbsim bench`: generates load on a balancer or a server, and measures its answers. */
export function benchCommand(io: Io) {
  return new Command("bench")
    .description(
      "Generate load and measure latencies, each from the planned start of its request.",
    )
    .argument(
      "<host:port>",
      "the address of a balancer or a server",
      (text) => addressOption("HOST:PORT", text),
    )
    .option("--rate <rate>", "open loop: this many requests per second, evenly spaced", rateOption)
    .option(
      "--ramp <from..to>",
      "open loop: a rate that changes linearly, like 100..2000",
      rampOption,
    )
    .option("--poisson", "with --rate or --ramp: requests start at random", false)
    .option("--arrivals <process>", "open loop: arrivals as in a scenario, like '{poisson: 800/s}'")
    .option("--trace <file>", "open loop: recorded arrivals from a CSV file", fileOption)
    .option(
      "--closed <n>",
      "closed loop: n clients; each waits for an answer before its next request",
      integerOption(1),
    )
    .option("--scenario <file>", "behave like the clients of a scenario in `lbsim sim`", fileOption)
    .option("--set <key=value>", "override a setting of the scenario; may be repeated", collect)
    .option(
      "--duration <duration>",
      "the time in which requests start (default: 10s)",
      positiveDurationOption,
    )
    .option(
      "--connections <n>",
      "number of connections that are open at the same time (default: 50; with --requests-per-connection 50 or less: 1000)",
      integerOption(1),
    )
    .option(
      "--requests-per-connection <n>",
      "close a connection after n requests (default: never)",
      integerOption(1),
    )
    .addOption(
      new Option(
        "--timeout <duration>",
        "limit for an answer, from the planned start of its request (default: 5s, or the scenario's)",
      )
        .argParser(positiveDurationOption),
    )
    .option("--http [path]", "send HTTP/1.1 requests, by default for /")
    .option("--raw", "send plain bytes; an answer has --answer-size bytes", false)
    .option("--size <bytes>", "size of a line, of an HTTP body, or of raw bytes", integerOption(1))
    .option(
      "--answer-size <bytes>",
      "with --raw: the size of an answer (default: the size of a request)",
      integerOption(1),
    )
    .option("--tls", "speak TLS", false)
    .option("--ca <file>", "speak TLS, and also trust the CAs in this PEM file", fileOption)
    .option(
      "--server-name <name>",
      "speak TLS, and require a certificate for this name",
      hostOption,
    )
    .addOption(
      new Option(
        "--proxy-protocol <version>",
        "send a PROXY header first; with --scenario, it has the address of the simulated client",
      ).choices(["v1", "v2"]),
    )
    .option(
      "--from <prefix>",
      "connect from these local addresses in turn, like 127.0.0.0/24",
      prefixOption,
    )
    .option(
      "--seed <n>",
      "use the arrivals of `lbsim sim` with this seed (default: 1, or the scenario's)",
      integerOption(0),
    )
    .option("--strict", "exit code 3 if the generator was the limit", false)
    .option("--json", "print one JSON object", false)
    .option("--csv", "print the names of columns and one row", false)
    .option("--html <file>", "write a report with plots to this file, as one HTML page", fileOption)
    .addHelpText("after", MORE)
    .action(async (target, options) => {
      if (options.json && options.csv) {
        throw new UserError("--json and --csv: use only one of them", { exitCode: 2 });
      }
      await refuseUnwritable(options.html);
      const plan = await planOf({ ...options, set: options.set ?? [] });
      const tls = await peerOf(target, options);
      const payload = payloadOf(target, options);
      const sources = sourcesOf(options.from, tls);
      refuseShortage(plan.connections);
      const address = await resolved(target, options.from);
      await giveUp("read", "sys", ...options.html === undefined ? ["write" as const] : []);
      const clock = new RunClock(monotonicNow);
      const tally = new Tally(new BackendNames());
      const load = plan.create({
        address,
        tls,
        proxy: options.proxyProtocol,
        payload,
        timeout: options.timeout ?? plan.timeout ?? DEFAULT_TIMEOUT,
        now: clock.now,
        from: sources && ((number) => sources.address(number)),
      }, tally);
      const { length, processors } = await watched(load, clock, plan, io);
      const result = resultOf({
        lbsim: VERSION,
        target: formatAddress(target),
        load: plan.description,
        isClosed: plan.isClosed,
        payload,
        seed: plan.seed,
        length,
        isInterrupted: io.signal.aborted,
        processors,
      }, tally);
      if (options.html !== undefined) await writePage(options.html, result, tally, io);
      print(result, options, io);
      io.setExitCode(exitCodeOf(result, options.strict));
    });
}

const MORE = `
Exit codes: 0: all requests were answered. 1: there were errors, or no answer.
3: with --strict, the generator was the limit. 130: Ctrl-C ended the run; the
result so far has been printed.

Examples:
  lbsim bench 192.168.1.10:8000 --rate 1000 --duration 30s
  lbsim bench 192.168.1.10:8000 --ramp 100..2000 --requests-per-connection 1
  lbsim bench 127.0.0.1:8080 --http / --closed 32
  lbsim bench 127.0.0.1:8000 --scenario examples/two-choices.yaml --seed 7 --json`;

/** Runs the load with its live line. */
async function watched(load: Load, clock: RunClock, plan: Plan, io: Io) {
  const failing = new AbortController();
  let shown: ReturnType<typeof setInterval> | undefined;
  let since = 0;
  let cpu = cpuUsage();
  const show = () => {
    const now = clock.now();
    io.status(liveLine({
      elapsed: now,
      duration: plan.duration === Infinity ? undefined : plan.duration,
      recent: load.tally.takeRecent(),
      interval: now - since,
      errors: load.tally.errorCount,
      inFlight: load.inFlight,
    }));
    since = now;
    if (isHopeless(load)) failing.abort();
  };
  try {
    io.status(plan.connections > 1000 ? `opening ${plan.connections} connections` : "");
    const length = await run(load, clock, {
      duration: plan.duration,
      signal: AbortSignal.any([io.signal, failing.signal]),
      started: () => {
        cpu = cpuUsage();
        if (isHopeless(load)) failing.abort();
        shown = setInterval(show, timerDelay(SHOW_EVERY));
      },
    });
    if (isHopeless(load) && !io.signal.aborted) throw new UserError(load.firstFailure!);
    const { user, system } = cpuUsage(cpu);
    return { length, processors: (user + system) * NS_PER_US / clock.now() };
  } finally {
    clearInterval(shown);
    io.status();
  }
}

/** Whether no connection could be opened, so that later ones would fail, too. */
function isHopeless({ tally, firstFailure }: Load): boolean {
  return firstFailure !== undefined && tally.connections === 0;
}

function print(
  result: BenchResult,
  { json, csv }: { readonly json: boolean; readonly csv: boolean },
  io: Io,
): void {
  if (json) io.out(escapedJson(result));
  else if (csv) io.print(resultCsv(escapeAll(result)));
  else resultLines(result, io).forEach((line) => io.out(line));
  if (!json && !csv) return;
  for (const warning of result.warnings) io.err(`lbsim: warning: ${warning}`);
}

function exitCodeOf(result: BenchResult, strict: boolean) {
  if (result.interrupted) return 130;
  if (strict && result.generator_was_the_limit) return 3;
  return result.errors > 0 || result.answers === 0 ? 1 : 0;
}

interface PayloadOptions {
  readonly http?: string | true | undefined;
  readonly raw: boolean;
  readonly size?: number | undefined;
  readonly answerSize?: number | undefined;
  readonly requestsPerConnection?: number | undefined;
}

function payloadOf(target: Address, options: PayloadOptions): Payload {
  const { http, raw, size, answerSize, requestsPerConnection } = options;
  if (http !== undefined && raw) {
    throw new UserError("--http and --raw: use only one of them", { exitCode: 2 });
  }
  if (answerSize !== undefined && !raw) {
    throw new UserError("--answer-size: only with --raw", { exitCode: 2 });
  }
  if (raw) return rawPayload(size ?? 100, answerSize ?? size ?? 100);
  if (http === undefined) return linePayload(size);
  const path = http === true ? "/" : http;
  if (!/^\/[\x21-\x7e]*$/.test(path)) {
    throw new UserError(`--http ${path}: a path begins with / and has no spaces`, { exitCode: 2 });
  }
  return httpPayload(formatAddress(target), path, size ?? 0, requestsPerConnection === 1);
}

interface TlsOptions {
  readonly tls: boolean;
  readonly ca?: string | undefined;
  readonly serverName?: string | undefined;
}

/** The peer whose certificate TLS verifies; undefined without TLS. */
async function peerOf(
  { host }: Address,
  { tls, ca, serverName }: TlsOptions,
): Promise<ExpectedPeer | undefined> {
  if (!tls && ca === undefined && serverName === undefined) return undefined;
  const name = serverName ?? host;
  if (ca === undefined) return { name, ca };
  const { loadAuthorities } = await import("../lib/files/mod.ts");
  return { name, ca: await loadAuthorities(ca) };
}

function sourcesOf(from: Prefix | undefined, tls: ExpectedPeer | undefined): Sources | undefined {
  if (from === undefined) return undefined;
  if (tls !== undefined) {
    throw new UserError("--from: not possible with TLS", { exitCode: 2 });
  }
  const sources = new Sources(from);
  const local = localAddresses();
  const foreign = [sources.address(0), sources.address(sources.count - 1)]
    .find((address) => !isLocal(address, local));
  if (foreign === undefined) return sources;
  throw new UserError(`--from: ${foreign} is not an address of this machine`, {
    exitCode: 2,
    hint: `it has ${local.join(", ")}, and all of 127.0.0.0/8`,
  });
}

/**
 * Refuses a run for which there are not enough descriptors, so that the user learns this before the run. Each
 * connection needs a descriptor.
 */
function refuseShortage(connections: number): void {
  const needed = connections + SPARE_DESCRIPTORS;
  const left = descriptorsLeft(needed) ?? needed;
  if (left >= needed) return;
  throw new UserError(
    `${connections} connections need as many file descriptors, and this process may open only ${
      Math.max(0, left - SPARE_DESCRIPTORS)
    } more`,
    { hint: `use fewer connections, or raise the limit with \`ulimit -n ${needed + 100}\`` },
  );
}

/**
 * A name is looked up once, not for each connection. If it has several addresses, the first that accepts a
 * connection is used.
 */
async function resolved(target: Address, from: Prefix | undefined): Promise<Address> {
  const { host, port } = target;
  if (parseIp(host.split("%")[0]!) !== undefined) return target;
  let found: { readonly address: string }[];
  try {
    found = await lookup(host, { all: true });
  } catch (error) {
    throw new UserError(`${host}: the name is unknown`, { cause: error });
  }
  const addresses = [...new Set(found.map(({ address }) => address))]
    .filter((address) => from === undefined || address.includes(":") === (from.bits < 96));
  if (addresses.length === 1) return { host: addresses[0]!, port };
  for (const address of addresses) {
    try {
      closeIfOpen(await Deno.connect({ hostname: address, port }));
      return { host: address, port };
    } catch {
      // The next address may work.
    }
  }
  throw new UserError(
    `nothing listens on port ${port} of ${host} (${addresses.join(", ")})`,
  );
}

async function writePage(file: string, result: BenchResult, tally: Tally, io: Io): Promise<void> {
  try {
    await Deno.writeTextFile(file, await resultPage(result, tally));
  } catch (error) {
    throw unwritable(file, error);
  }
  io.err(`report written to ${file}`);
}

/** Refuses a page that cannot be written, so that the user learns this before the run. */
async function refuseUnwritable(file: string | undefined): Promise<void> {
  if (file === undefined) return;
  const isDirectory = await Deno.stat(file).then((info) => info.isDirectory, () => false);
  if (isDirectory) throw unwritable(file, new Deno.errors.IsADirectory());
  await Deno.stat(dirname(file)).catch((error) => {
    throw unwritable(file, error);
  });
}

function unwritable(file: string, error: unknown): UserError {
  return new UserError(`--html ${file}: ${writeFailure(error)}`);
}

function rampOption(text: string): { from: number; to: number } {
  const match = /^(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)(?:\/s)?$/.exec(text);
  const [from, to] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || from + to === 0) {
    throw new InvalidArgumentError("it must be two rates, like 100..2000");
  }
  return { from, to };
}

function prefixOption(text: string): Prefix {
  return parsed(() => parsePrefix(text));
}

function collect(value: string, all: string[] = []): string[] {
  return [...all, value];
}
