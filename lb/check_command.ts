import { Command } from "@commander-js/extra-typings";
import {
  escapedJson,
  escapeText,
  formatAddress,
  formatDuration,
  isLoopback,
  isWildcard,
  NS_PER_MS,
  UserError,
} from "../lib/base/mod.ts";
import { localAddresses } from "../lib/io/mod.ts";
import { fileOption, type Io } from "../lib/cli/mod.ts";
import { type Config, DiagnosticsError, type LocatedDiagnostic } from "../lib/config/mod.ts";
import {
  type Certificates,
  certificateWarnings,
  dayOf,
  loadConfigAndCertificates,
  type LoadedConfig,
  namesInWords,
  ownBackendsHere,
} from "../lib/files/mod.ts";

/** `lbsim check`: is this file right, and what would it do? */
export function checkCommand(io: Io) {
  return new Command("check")
    .description("Validate a configuration and say in words what the balancer will do.")
    .argument("[file]", "the configuration", fileOption, "config.yaml")
    .option("--json", "print the outcome as JSON", false)
    .action(async (file, { json }) => {
      const now = Date.now();
      try {
        const loaded = await loadConfigAndCertificates(file, now);
        const warnings = await warningsHere(loaded);
        if (json) io.out(escapedJson({ file, valid: true, ...outcome(loaded, now), warnings }));
        else describe(file, loaded, now, warnings).forEach((line) => io.out(escapeText(line)));
      } catch (error) {
        if (!json || !(error instanceof UserError)) throw error;
        io.out(escapedJson({ file, valid: false, diagnostics: diagnosticsOf(error) }));
        io.setExitCode(error.exitCode);
      }
    });
}

/** What would be wrong if the balancer ran on this machine, which it need not. */
async function warningsHere({ config }: LoadedConfig): Promise<string[]> {
  const found = await ownBackendsHere(config, localAddresses());
  return found.map(({ message }) => `if it runs on this machine, ${message}`);
}

function diagnosticsOf(error: UserError): readonly LocatedDiagnostic[] {
  if (error instanceof DiagnosticsError) return error.located();
  const { message, hint } = error;
  return [{ message, ...hint !== undefined && { hint } }];
}

/** What follows from a configuration, with units. */
function expectations({ backends, healthCheck }: Config) {
  const { interval, timeout, rise, fall, jitter, type } = healthCheck;
  const probed = type !== "none";
  const ms = (probes: number, stretch: number) =>
    Math.round(probes * interval * stretch) / NS_PER_MS;
  const primaries = backends.filter(({ backup }) => !backup);
  const weightOf = ({ weight, mode }: Config["backends"][number]) => mode === "ready" ? weight : 0;
  const weights = primaries.reduce((sum, backend) => sum + weightOf(backend), 0);
  return {
    shares: primaries.map((backend) => ({
      id: backend.id,
      share: weights === 0 ? 0 : weightOf(backend) / weights,
    })),
    ...probed && {
      detection_refusing_ms: { min: ms(fall - 1, 1 - jitter), max: ms(fall, 1 + jitter) },
      detection_silent_ms: {
        min: ms(fall - 1, 1 - jitter) + timeout / NS_PER_MS,
        max: ms(fall, 1 + jitter) + timeout / NS_PER_MS,
      },
      recovery_ms: { min: ms(rise - 1, 1 - jitter), max: ms(rise, 1 + jitter) },
    },
  };
}

/** What a program wants to know. */
function outcome({ config, certificates: { listener } }: LoadedConfig, now: number) {
  return {
    ...expectations(config),
    ...listener !== undefined && {
      certificate: {
        names: listener.names,
        expires_at: new Date(listener.expiresAtMs).toISOString(),
        warnings: certificateWarnings(listener, now),
      },
    },
  };
}

/** The configuration in plain words. */
function describe(
  file: string,
  { config, certificates }: LoadedConfig,
  now: number,
  warnings: readonly string[],
): string[] {
  return [
    `${file} is valid. With it, the balancer`,
    "",
    ...[
      ["listens", listens(config), ...warnings.map((warning) => `! ${warning}`)],
      ...encrypts(config, certificates, now),
      ["balances", balances(config)],
      ["over", ...backendLines(config)],
      ["probes", ...probes(config)],
      ["sticks", sticks(config)],
      ...keeps(config),
      ["retries", retries(config)],
      ...controls(config),
      ["closes", closes(config)],
      ["limits", `itself to ${config.limits.connections} connections at once`],
      ...admission(config),
    ].flatMap(([topic, ...lines]) =>
      lines.map((line, i) => `  ${(i === 0 ? topic! : "").padEnd(10)}${line}`)
    ),
  ];
}

function listens({ listen }: Config): string {
  const who = isLoopback(listen.host)
    ? "only this machine can connect"
    : isWildcard(listen.host)
    ? "every network of its machine can connect"
    : "the network of that address can connect";
  return `on ${formatAddress(listen)}: ${who}`;
}

function encrypts(
  { backendTls, healthCheck }: Config,
  { listener }: Certificates,
  now: number,
): string[][] {
  const { ca, serverName } = backendTls ?? {};
  return [
    ...listener === undefined ? [] : [[
      "encrypts",
      `what clients send and get, by TLS as ${namesInWords(listener)}`,
      `with a certificate that is valid until ${dayOf(listener.expiresAtMs)}`,
      ...certificateWarnings(listener, now).map((warning) => `! ${warning}`),
    ]],
    ...backendTls === undefined ? [] : [[
      listener === undefined ? "encrypts" : "",
      "what it sends to backends and gets from them; each must have a certificate for " +
      `${serverName ?? "the host of its address"}, by ${
        ca === undefined ? "a public CA" : `a CA in ${ca}, or a public one`
      }`,
      ...healthCheck.port === undefined ? [] : [`but probes of port ${healthCheck.port} are not`],
    ]],
  ];
}

function balances({ algorithm }: Config): string {
  switch (algorithm.name) {
    case "round-robin":
      return "by round-robin: in turn, as often as the weights say";
    case "least-connections":
      return "by least-connections: to whoever has the fewest in flight for its weight";
    case "random":
      return "by random: by lot, in proportion to weight";
    case "power-of-two":
      return `by power-of-two: draws ${
        plural(algorithm.choices, "backend")
      }, takes the one with fewer in flight`;
    case "peak-ewma":
      return "by peak-ewma: of two drawn, to whoever has answered faster for what it has in flight";
    case "join-idle-queue":
      return "by join-idle-queue: to whoever has been idle for longest, by lot if nobody is";
    case "prequal":
      return "by prequal: to the fastest that is not hot, among a few looked at lately";
    case "source-hash":
    case "ring-hash":
    case "maglev":
      return `by ${algorithm.name}: by the client's address${
        algorithm.boundedLoad === undefined
          ? ""
          : `, at most ${algorithm.boundedLoad} times its share each`
      }`;
    case "first-available":
      return "by first-available: the first in the list that is not full";
  }
}

/** What only some configurations ask for. */
function controls(config: Config): string[][] {
  const { algorithm, slowStart, ejection, queue, onDown, whenNoneAvailable } = config;
  return [
    ...slowStart === undefined ? [] : [[
      "slowly",
      "lets a backend that has recovered, or is new after a reload, grow from " +
      `${percent(slowStart.floor)} of its weight to all of it in ${
        formatDuration(slowStart.duration)
      }`,
      ...algorithm.name === "join-idle-queue"
        ? ["but an idle backend gets the next client, whatever its weight"]
        : [],
    ]],
    ...ejection === undefined ? [] : [[
      "ejects",
      `a backend after ${ejection.failures} failed connects in a row, for ` +
      `${formatDuration(ejection.base)} and longer each time, up to ` +
      `${formatDuration(ejection.max)}; at most ${percent(ejection.maxShare)} of them at once`,
    ]],
    ...queue === undefined ? [] : [[
      "queues",
      `up to ${queue.length} clients while every backend is full, each for at most ` +
      formatDuration(queue.timeout),
    ]],
    ...onDown === "keep" ? [] : [["on down", "closes the connections of a backend marked down"]],
    ...whenNoneAvailable === "refuse"
      ? []
      : [["else", "tries a backend anyway when none is healthy: it may be dead"]],
  ];
}

function admission({ allow, deny, proxyProtocol, limits: { perClient } }: Config): string[][] {
  const { connections, rate } = perClient ?? {};
  const limits = [
    ...connections === undefined ? [] : [`${connections} connections at once`],
    ...rate === undefined ? [] : [perTime(rate)],
  ];
  const { acceptFrom = [], send = "off" } = proxyProtocol ?? {};
  return [
    ...limits.length === 0 ? [] : [["", `each client to ${limits.join(" and ")}`]],
    ...acceptFrom.length === 0
      ? []
      : [["trusts", `the PROXY header of ${prefixes(acceptFrom.length)}`]],
    ...send === "off" ? [] : [["tells", `backends where a client comes from, by PROXY ${send}`]],
    ...allow === undefined ? [] : [["lets in", `only clients from ${prefixes(allow.length)}`]],
    ...deny === undefined ? [] : [["denies", `clients from ${prefixes(deny.length)}`]],
  ];
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A rate in the unit in which it is a number that one can picture. */
function perTime(rate: number): string {
  const [perUnit, unit] = rate >= 1
    ? [rate, "second"]
    : rate >= 1 / 60
    ? [rate * 60, "minute"]
    : [rate * 3600, "hour"];
  return `${plural(Number(perUnit.toPrecision(6)), "new one")} per ${unit}`;
}

function prefixes(count: number): string {
  return count === 1 ? "one address or prefix" : `${count} addresses and prefixes`;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}

function backendLines(config: Config): string[] {
  const { shares } = expectations(config);
  const idWidth = Math.max(...config.backends.map(({ id }) => id.length));
  const addressWidth = Math.max(
    ...config.backends.map(({ address }) => formatAddress(address).length),
  );
  return config.backends.map(({ id, address, weight, maxConnections, backup, mode }) => {
    const share = shares.find((one) => one.id === id)?.share;
    return [
      id.padEnd(idWidth),
      formatAddress(address).padEnd(addressWidth),
      `weight ${weight}`,
      backup ? "backup: only while no other is available" : `${(share! * 100).toFixed(1)} %`,
      ...maxConnections === undefined ? [] : [`at most ${maxConnections} connections`],
      ...mode === "ready" ? [] : [MODES[mode]],
    ].join("  ");
  });
}

const MODES = {
  drain: "drains: no new clients",
  maintenance: "in maintenance: no new clients, no probes",
} as const;

function probes(config: Config): string[] {
  const { type, interval, timeout, rise, fall, jitter, path } = config.healthCheck;
  if (type === "none") return ["nobody: every backend counts as up"];
  const how = { tcp: "by connecting", expect: "by what it answers", http: `by GET ${path}` }[type];
  const { detection_refusing_ms, detection_silent_ms, recovery_ms } = expectations(config);
  const range = (span?: { min: number; max: number }) =>
    `${(span!.min / 1000).toFixed(1)} to ${(span!.max / 1000).toFixed(1)} s`;
  return [
    `every backend every ${formatDuration(interval)} (±${Math.round(jitter * 100)} %) ${how}, ` +
    `for at most ${formatDuration(timeout)}`,
    `down after ${fall} bad in a row: ${range(detection_refusing_ms)} after one that refuses, ` +
    `${range(detection_silent_ms)} after one that is silent`,
    `up again after ${rise} good in a row: ${range(recovery_ms)} after its return`,
  ];
}

function sticks({ sticky }: Config): string {
  if (sticky === undefined) return "no client to a backend";
  const back = sticky.onFailback === "return"
    ? "returns when its backend has recovered"
    : "stays where it was moved to";
  return `each client address (/${sticky.ipv4Prefix}, /${sticky.ipv6Prefix}) to its backend for ` +
    `${
      formatDuration(sticky.ttl)
    } after its last connection; at most ${sticky.maxEntries}; ${back}`;
}

/** Where sessions are kept, if they outlive the process. */
function keeps({ sticky }: Config): string[][] {
  const { store = "memory" } = sticky ?? {};
  if (store === "memory") return [];
  const { sqlite, redis, timeout } = store;
  return [[
    "keeps",
    ...sqlite === undefined
      ? [
        `sessions in Redis at ${formatAddress(redis)}, for all balancers that name it; a client ` +
        `waits for it for ${formatDuration(timeout)} at most`,
      ]
      : [`sessions in the SQLite file ${sqlite}: they survive a restart`],
    "and in memory only, while that is down or slow",
  ]];
}

function retries({ retries }: Config): string {
  return retries === 0
    ? "nothing: a client whose connect fails is refused"
    : `up to ${retries} other backends when a connect fails`;
}

function closes({ timeouts }: Config): string {
  return `a connect after ${formatDuration(timeouts.connect)}, an idle connection after ` +
    `${formatDuration(timeouts.idle)}, all that is open ${formatDuration(timeouts.drain)} after ` +
    "it is told to stop";
}
