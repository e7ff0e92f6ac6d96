import { Command } from "@commander-js/extra-typings";
import {
  escapedJson,
  escapeText,
  formatAddress,
  formatDuration,
  isLoopback,
  isWildcard,
  type Nanoseconds,
  NS_PER_MS,
  UserError,
} from "../lib/base/mod.ts";
import { algorithmSummary, detectionTime, failbackTime, type NoticeTime } from "../lib/core/mod.ts";
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

/** `lbsim check`: validates a configuration and describes its effect. */
export function checkCommand(io: Io) {
  return new Command("check")
    .description("Validate a configuration and explain it in words.")
    .argument("[file]", "the configuration file", fileOption, "config.yaml")
    .option("--json", "print the result as JSON", false)
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

/** The problems that the balancer would have on this machine. It may run on another one. */
async function warningsHere({ config }: LoadedConfig): Promise<string[]> {
  const found = await ownBackendsHere(config, localAddresses());
  return found.map(({ message }) => `if the balancer runs on this machine, ${message}`);
}

function diagnosticsOf(error: UserError): readonly LocatedDiagnostic[] {
  if (error instanceof DiagnosticsError) return error.located();
  const { message, hint } = error;
  return [{ message, ...hint !== undefined && { hint } }];
}

/** The properties that follow from a configuration, with units in their names. */
function expectations({ backends, healthCheck }: Config) {
  const probed = healthCheck.type !== "none";
  const range = ({ least, most }: NoticeTime) => ({ min: ms(least), max: ms(most) });
  const ms = (time: Nanoseconds) => Math.round(time) / NS_PER_MS;
  const primaries = backends.filter(({ backup }) => !backup);
  const weightOf = ({ weight, mode }: Config["backends"][number]) => mode === "ready" ? weight : 0;
  const weights = primaries.reduce((sum, backend) => sum + weightOf(backend), 0);
  return {
    shares: primaries.map((backend) => ({
      id: backend.id,
      share: weights === 0 ? 0 : weightOf(backend) / weights,
    })),
    ...probed && {
      detection_refusing_ms: range(detectionTime(healthCheck)),
      detection_silent_ms: range(detectionTime(healthCheck, healthCheck.timeout)),
      recovery_ms: range(failbackTime(healthCheck)),
    },
  };
}

/** The result for programs. */
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
    `${file} is valid.`,
    "",
    ...[
      ["listen", listenLine(config), ...warnings.map((warning) => `! ${warning}`)],
      ...tlsLines(config, certificates, now),
      ["algorithm", `${config.algorithm.name}: ${algorithmSummary(config.algorithm)}`],
      ["backends", ...backendLines(config)],
      ["probes", ...probeLines(config)],
      ["sessions", sessionLine(config)],
      ...storeLines(config),
      ["retries", retryLine(config)],
      ...controlLines(config),
      ["timeouts", ...timeoutLines(config)],
      ["limits", `${config.limits.connections} connections at the same time`],
      ...admissionLines(config),
    ].flatMap(([topic, ...lines]) =>
      lines.map((line, i) => `  ${(i === 0 ? topic! : "").padEnd(12)}${line}`)
    ),
  ];
}

function listenLine({ listen }: Config): string {
  const who = isLoopback(listen.host)
    ? "only this machine can connect"
    : isWildcard(listen.host)
    ? "every network of its machine can connect"
    : "the network of this address can connect";
  return `${formatAddress(listen)}: ${who}`;
}

function tlsLines(
  { backendTls, healthCheck }: Config,
  { listener }: Certificates,
  now: number,
): string[][] {
  const { ca, serverName } = backendTls ?? {};
  return [
    ...listener === undefined ? [] : [[
      "TLS",
      `clients speak TLS; the certificate is for ${namesInWords(listener)}, ` +
      `and valid until ${dayOf(listener.expiresAtMs)}`,
      ...certificateWarnings(listener, now).map((warning) => `! ${warning}`),
    ]],
    ...backendTls === undefined ? [] : [[
      listener === undefined ? "TLS" : "",
      "backends speak TLS; each must have a certificate for " +
      `${serverName ?? "the host of its address"}, signed by ${
        ca === undefined ? "a public CA" : `a CA in ${ca} or a public CA`
      }`,
      ...healthCheck.port === undefined
        ? []
        : [`probes of port ${healthCheck.port} do not use TLS`],
    ]],
  ];
}

/** Settings that only some configurations have. */
function controlLines(config: Config): string[][] {
  const { algorithm, slowStart, ejection, queue, onDown, whenNoneAvailable } = config;
  return [
    ...slowStart === undefined ? [] : [[
      "slow start",
      "the weight of a recovered or new backend grows from " +
      `${percent(slowStart.floor)} to 100 % in ${formatDuration(slowStart.duration)}`,
      ...algorithm.name === "join-idle-queue"
        ? ["but an idle backend gets the next client, whatever its weight"]
        : [],
    ]],
    ...ejection === undefined ? [] : [[
      "ejection",
      `after ${ejection.failures} failed connects in a row a backend gets no clients for ` +
      `${formatDuration(ejection.base)}, longer each time, up to ${
        formatDuration(ejection.max)
      }; ` +
      `at most ${percent(ejection.maxShare)} of the backends at the same time`,
    ]],
    ...queue === undefined ? [] : [[
      "queue",
      `while every backend is full, up to ${queue.length} clients wait, each for at most ` +
      formatDuration(queue.timeout),
    ]],
    ...onDown === "keep"
      ? []
      : [["on down", "the connections of a backend that is marked as down are closed"]],
    ...whenNoneAvailable === "refuse"
      ? []
      : [["none up", "when no backend is healthy, clients are sent to one that may be down"]],
  ];
}

function admissionLines({ allow, deny, proxyProtocol, limits: { perClient } }: Config): string[][] {
  const { connections, rate } = perClient ?? {};
  const limits = [
    ...connections === undefined ? [] : [`${connections} connections at the same time`],
    ...rate === undefined ? [] : [perTime(rate)],
  ];
  const { acceptFrom = [], send = "off" } = proxyProtocol ?? {};
  return [
    ...limits.length === 0 ? [] : [["", `for each client: ${limits.join(" and ")}`]],
    ...acceptFrom.length === 0
      ? []
      : [["PROXY", `headers are required from ${prefixes(acceptFrom.length)}`]],
    ...send === "off" ? [] : [[
      acceptFrom.length === 0 ? "PROXY" : "",
      `backends get a header with the client's address, version ${send.slice(1)}`,
    ]],
    ...allow === undefined ? [] : [["allow", `only clients from ${prefixes(allow.length)}`]],
    ...deny === undefined ? [] : [["deny", `clients from ${prefixes(deny.length)}`]],
  ];
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A rate, in a unit in which its number is easy to read. */
function perTime(rate: number): string {
  const [perUnit, unit] = rate >= 1
    ? [rate, "second"]
    : rate >= 1 / 60
    ? [rate * 60, "minute"]
    : [rate * 3600, "hour"];
  return `${plural(Number(perUnit.toPrecision(6)), "new connection")} per ${unit}`;
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
      backup
        ? "backup: only while no other backend is available"
        : `${(share! * 100).toFixed(1)} %`,
      ...maxConnections === undefined ? [] : [`at most ${maxConnections} connections`],
      ...mode === "ready" ? [] : [MODES[mode]],
    ].join("  ");
  });
}

const MODES = {
  drain: "drain: no new clients",
  maintenance: "maintenance: no connections, no probes",
} as const;

function probeLines(config: Config): string[] {
  const { type, interval, timeout, rise, fall, jitter, path } = config.healthCheck;
  if (type === "none") return ["none: every backend counts as up"];
  const how = { tcp: "by a connect", expect: "by the answer", http: `by GET ${path}` }[type];
  const { detection_refusing_ms, detection_silent_ms, recovery_ms } = expectations(config);
  const range = (span?: { min: number; max: number }) =>
    `${(span!.min / 1000).toFixed(1)} to ${(span!.max / 1000).toFixed(1)} s`;
  return [
    `each backend every ${formatDuration(interval)} (±${Math.round(jitter * 100)} %) ${how}, ` +
    `timeout ${formatDuration(timeout)}`,
    `down after ${fall} failed probes in a row: ${
      range(detection_refusing_ms)
    } if it refuses connects, ` +
    `${range(detection_silent_ms)} if it is silent`,
    `up after ${rise} successful probes in a row: ${range(recovery_ms)} after its return`,
  ];
}

function sessionLine({ sticky }: Config): string {
  if (sticky === undefined) return "off: each connection may get another backend";
  const back = sticky.onFailback === "return"
    ? "a moved client returns when its backend has recovered"
    : "a moved client does not return to its former backend";
  return `a client address (/${sticky.ipv4Prefix}, /${sticky.ipv6Prefix}) keeps its backend for ` +
    `${
      formatDuration(sticky.ttl)
    } after its last connection; at most ${sticky.maxEntries}; ${back}`;
}

/** Where sessions are kept, if they survive the end of the process. */
function storeLines({ sticky }: Config): string[][] {
  const { store = "memory" } = sticky ?? {};
  if (store === "memory") return [];
  const { sqlite, redis, timeout } = store;
  return [[
    "store",
    ...sqlite === undefined
      ? [
        `Redis at ${formatAddress(redis)}, shared by all balancers that use it; a client waits ` +
        `for it for ${formatDuration(timeout)} at most`,
      ]
      : [`the SQLite file ${sqlite}: sessions survive a restart`],
    "while the store fails or is slow, sessions are only in memory",
  ]];
}

function retryLine({ retries }: Config): string {
  return retries === 0
    ? "none: a client whose connect fails is refused"
    : `when a connect fails, up to ${retries} other backends are tried`;
}

function timeoutLines({ timeouts }: Config): string[] {
  const [connect, idle, drain] = [timeouts.connect, timeouts.idle, timeouts.drain].map(
    formatDuration,
  );
  return [
    `a connect fails after ${connect}; an idle connection is closed after ${idle}`,
    `when the balancer stops, open connections may finish within ${drain}`,
  ];
}
