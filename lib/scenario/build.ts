/** Builds the scenario that is run from a scenario file. */
import { type Config, type Finding, serverFaultOf } from "../config/mod.ts";
import {
  didYouMean,
  formatDuration,
  type Nanoseconds,
  NS_PER_S,
  NS_PER_US,
  UserError,
} from "../base/mod.ts";
import { type Distribution, meanOf } from "../stats/mod.ts";
import { workCapacity, workPerConnection } from "./load.ts";
import { DEFAULT_DURATION, type ScenarioFile, SERVER_DEFAULTS } from "./schema.ts";
import type {
  Arrivals,
  BackendFaultKind,
  End,
  Fault,
  NetworkSettings,
  Overheads,
  Scenario,
  ServerOptions,
  Trace,
  TraceEntry,
} from "./types.ts";

/** A scenario; or the findings because of which there is none. */
export interface Built {
  readonly scenario?: Scenario;
  /** The rate of connections per second at which all backends are always busy. */
  readonly capacity?: number;
  readonly findings: readonly Finding[];
}

/** The inputs of a scenario besides its own file. */
export interface BuildOptions {
  /** Ids of backends that are configured at other times of the run. */
  readonly others?: readonly string[] | undefined;
  /** The capacity that `load` refers to; that of this scenario if left out. */
  readonly capacity?: number | undefined;
}

/** The paths at which backends are named. */
const BACKENDS = [["balancer", "backends"], ["extends"]];

/** The default share of a run that is warm-up. */
const WARMUP_SHARE = 0.1;

/**
 * Builds a scenario.
 *
 * @param file The parsed scenario file.
 * @param readTrace Returns the recorded arrivals at a path.
 */
export function buildScenario(
  file: ScenarioFile,
  config: Config,
  readTrace: (path: string) => Trace,
  { others = [], capacity: capacityAtStart }: BuildOptions = {},
): Built {
  const findings: Finding[] = [];
  const present = config.backends.map(({ id }) => id);
  const ids = [...new Set([...present, ...others])];
  const servers = serversOf(file, present, ids, findings);
  const capacity = capacityAtStart ?? capacityOf(file, config, servers);
  const arrivals = arrivalsOf(file, capacity, readTrace, findings);
  const end = endOf(file, arrivals);
  const warmup = file.warmup ?? warmupOf(end, arrivals);
  findings.push(...neverComing(arrivals, end, warmup, file.warmup !== undefined));
  const isShort = "duration" in end && arrivals.kind !== "trace" && warmup !== "auto" &&
    warmup >= end.duration;
  if (isShort) {
    findings.push({
      path: ["warmup"],
      message: "the warm-up is as long as the run, so nothing would be measured",
      hint: "make `duration` longer than `warmup`",
    });
  }
  const faults = faultsOf(file, ids, end, findings);
  if (findings.length > 0) return { findings };
  const { workload } = file;
  const { max, backoff, multiplier, jitter } = workload.retries;
  return {
    findings,
    capacity,
    scenario: {
      balancer: file.idle_reports ? reportedTo(config) : config,
      loadBalancers: file.load_balancers,
      idleReports: file.idle_reports,
      hashPlacement: file.hash_placement,
      workload: {
        arrivals,
        clients: workload.clients,
        requestsPerConnection: workload.requests_per_connection,
        thinkTime: workload.think_time,
        timeout: workload.timeout,
        retries: { max, backoff, multiplier, jitter },
      },
      service: file.service,
      servers,
      network: networkOf(file),
      ...file.overheads !== undefined && { overheads: overheadsOf(file.overheads) },
      faults,
      end,
      warmup,
    },
  };
}

/** The configuration, with backends that report when they are idle. */
function reportedTo(config: Config): Config {
  const { algorithm } = config;
  if (algorithm.name !== "join-idle-queue") return config;
  return { ...config, algorithm: { ...algorithm, backendsReport: true } as Config["algorithm"] };
}

function serversOf(
  { servers }: ScenarioFile,
  present: readonly string[],
  ids: readonly string[],
  findings: Finding[],
): ServerOptions[] {
  for (const id of Object.keys(servers)) {
    if (id === "default" || ids.includes(id)) continue;
    findings.push({
      path: ["servers", id],
      key: true,
      message: `there is no backend "${id}"`,
      hint: didYouMean(id, ["default", ...ids]) ?? `one of: default, ${ids.join(", ")}`,
      follows: BACKENDS,
    });
  }
  // The cast is right: a key that is left out is absent, so it does not replace a default by undefined.
  return present.map((id) =>
    ({ ...SERVER_DEFAULTS, ...servers.default, ...servers[id] }) as ServerOptions
  );
}

/** The rate of connections per second at which all backends that take clients are always busy. */
function capacityOf(
  { service, workload }: ScenarioFile,
  { backends }: Config,
  servers: readonly ServerOptions[],
): number {
  const work = workPerConnection(meanOf(service), workload.requests_per_connection);
  return workCapacity(backends, servers) * NS_PER_S / work;
}

function arrivalsOf(
  { workload }: ScenarioFile,
  capacity: number,
  readTrace: (path: string) => Trace,
  findings: Finding[],
): Arrivals {
  const [kind, value] = Object.entries(workload.arrivals)[0]!;
  if (kind === "trace") {
    try {
      return { kind, ...readTrace(value as string) };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const { message, hint } = error;
      findings.push({ path: ["workload", "arrivals", "trace"], message, hint });
      return { kind, entries: [] };
    }
  }
  const { load, ...rest } = value as { load?: number; rate?: number };
  if (load === undefined) return { kind, ...rest } as unknown as Arrivals;
  if (!Number.isFinite(capacity)) {
    findings.push({
      path: ["workload", "arrivals", kind, "load"],
      message: "load is a share of the backends' capacity, which is unlimited here",
      hint: "use a rate, like `rate: 800/s`, or limit the slots",
      follows: [["servers"]],
    });
  } else if (capacity === 0) {
    findings.push({
      path: ["workload", "arrivals", kind, "load"],
      message: "load is a share of the backends' capacity, and no backend gets new clients here",
      hint:
        "use a rate, like `rate: 800/s`, or set `mode: ready` for a backend that is not a backup",
      follows: BACKENDS,
    });
  }
  return { kind, ...rest, rate: load * capacity } as unknown as Arrivals;
}

/** The shortest cycle of a changing rate. A shorter cycle costs computing time, and acts like its mean rate. */
const CYCLE_MIN = NS_PER_US;
const CYCLE_TOO_SHORT = `the rate would change too often: one cycle must last ${
  formatDuration(CYCLE_MIN)
} or more on average`;

/** Finds arrivals with which a run would never end. */
function neverComing(
  arrivals: Arrivals,
  end: End,
  warmup: Nanoseconds | "auto",
  isWarmupSet: boolean,
): Finding[] {
  const found = (message: string, hint: string, ...path: string[]): Finding[] => [
    { path: ["workload", "arrivals", ...path], message, hint },
  ];
  switch (arrivals.kind) {
    case "mmpp": {
      const { states } = arrivals;
      if (states.every(({ rate }) => rate === 0)) {
        return found("no client would ever come", "give a state a rate", "mmpp", "states");
      }
      const cycle = states.reduce((sum, { stay }) => sum + stay, 0);
      if (cycle >= CYCLE_MIN) return [];
      return found(CYCLE_TOO_SHORT, "make `stay` longer", "mmpp", "states");
    }
    case "on_off": {
      const on = meanOf(arrivals.on);
      if (on === 0) {
        return found("no client would ever come", "make it longer than 0s", "on_off", "on");
      }
      if (on + meanOf(arrivals.off) >= CYCLE_MIN) return [];
      return found(CYCLE_TOO_SHORT, "make `on` or `off` longer", "on_off");
    }
    case "renewal":
      if (meanOf(arrivals.gap) > 0) return [];
      return found("all clients would come at once", "make it longer than 0s", "renewal", "gap");
    case "trace": {
      if (!("connections" in end)) {
        return outside(arrivals.entries, end.duration, warmup, isWarmupSet);
      }
      const { length } = arrivals.entries;
      if (length === 0 || end.connections <= length) return [];
      return [{
        path: ["connections"],
        message: `the trace has only ${length} connection${length === 1 ? "" : "s"}`,
        hint: `set connections to ${length} at most, or use \`duration\` instead`,
      }];
    }
    default:
      return [];
  }
}

/** Finds a trace from which nothing would be measured. */
function outside(
  entries: readonly TraceEntry[],
  duration: Nanoseconds,
  warmup: Nanoseconds | "auto",
  isWarmupSet: boolean,
): Finding[] {
  const [first, last] = [entries[0]?.at, entries.at(-1)?.at];
  if (first === undefined || last === undefined) return [];
  const follows = [["duration"], ["warmup"]];
  if (first >= duration) {
    return [{
      path: ["duration"],
      message:
        `no client would come: the trace begins at ${formatDuration(first)}, and the run ends ` +
        `at ${formatDuration(duration)}`,
      hint: "without \`duration\`, the run is as long as the trace",
      follows,
    }];
  }
  if (warmup === "auto" || last >= warmup) return [];
  return [{
    path: ["warmup"],
    message: `nothing would be measured: the trace ends at ${formatDuration(last)}, and the ` +
      `warm-up takes ${formatDuration(warmup)}`,
    hint: isWarmupSet
      ? "make `warmup` shorter than the trace, or set `warmup: 0s`"
      : "without `duration`, the run is as long as the trace, and the warm-up is a tenth of it; " +
        "or set `warmup: 0s`",
    follows,
  }];
}

function networkOf({ network }: ScenarioFile): NetworkSettings {
  const { latency, client_latency: client, backend_latency: backend } = network;
  const none: Distribution = { kind: "deterministic", value: 0 };
  return {
    clientLatency: client ?? latency ?? none,
    backendLatency: backend ?? latency ?? none,
  };
}

function overheadsOf(
  { connect = 0, relay_connection = 0, relay_request = 0 }: NonNullable<ScenarioFile["overheads"]>,
): Overheads {
  return { connect, relayConnection: relay_connection, relayRequest: relay_request };
}

/** Without `duration` and `connections`, a trace is run to its end. */
function endOf({ duration, connections }: ScenarioFile, arrivals: Arrivals): End {
  if (connections !== undefined) return { connections };
  if (duration !== undefined) return { duration };
  return { duration: arrivals.kind === "trace" ? lengthOf(arrivals.entries) : DEFAULT_DURATION };
}

/** The time of the last connection plus a mean gap, so that there are as many gaps as connections. */
function lengthOf(entries: readonly TraceEntry[]): Nanoseconds {
  // A trace that could not be read is reported elsewhere.
  if (entries.length === 0) return Infinity;
  const [first, last] = [entries[0]!.at, entries.at(-1)!.at];
  const gap = (last - first) / Math.max(1, entries.length - 1);
  return Math.max(last + Math.round(gap), last + 1);
}

/** A tenth of the run. For a run of a number of connections, its length is estimated from the rate. */
function warmupOf(end: End, arrivals: Arrivals): Nanoseconds | "auto" {
  if ("duration" in end) return Math.round(end.duration * WARMUP_SHARE);
  if (!("rate" in arrivals)) return "auto";
  return Math.round(end.connections / arrivals.rate * NS_PER_S * WARMUP_SHARE);
}

function faultsOf(
  file: ScenarioFile,
  ids: readonly string[],
  end: End,
  findings: Finding[],
): Fault[] {
  return file.faults.flatMap((fault, i): Fault[] => {
    const complain = (key: string, message: string, hint?: string, follows?: Finding["follows"]) =>
      findings.push({
        path: ["faults", i, key],
        message,
        ...hint !== undefined && { hint },
        ...follows !== undefined && { follows },
      });
    const { load_balancer: number } = fault;
    const times = { at: fault.at, for: fault.for ?? Infinity };
    if ("duration" in end && fault.at >= end.duration) {
      const ends = `the fault begins after the end of the run (${formatDuration(end.duration)})`;
      complain("at", ends, undefined, [["duration"], ["connections"], ["workload", "arrivals"]]);
    }
    if (number !== undefined && number > file.load_balancers) {
      complain(
        "load_balancer",
        `there is no load balancer ${number}: ${file.load_balancers} in all`,
        undefined,
        [["load_balancers"]],
      );
    }
    if (fault.kind === "lb-restart") {
      if (fault.backend !== undefined) {
        complain("backend", "lb-restart restarts a balancer, not a backend", "use `load_balancer`");
      }
      return [{ ...times, loadBalancer: (number ?? 1) - 1, kind: { name: "lb-restart" } }];
    }
    if (number !== undefined && fault.kind !== "partition") {
      complain("load_balancer", "only partition and lb-restart can have `load_balancer`");
    }
    if (fault.backend === undefined) {
      complain("kind", "the backend is missing", `add it, like \`backend: ${ids[0]}\``);
      return [];
    }
    const kind = kindOf(fault.kind, number);
    return [fault.backend].flat().flatMap((id): Fault[] => {
      const backend = ids.indexOf(id);
      if (backend >= 0) return [{ ...times, backend, kind }];
      complain(
        "backend",
        `there is no backend "${id}"`,
        didYouMean(id, ids) ?? `one of: ${ids.join(", ")}`,
        BACKENDS,
      );
      return [];
    });
  });
}

type WrittenKind = Exclude<ScenarioFile["faults"][number]["kind"], "lb-restart">;

function kindOf(kind: WrittenKind, loadBalancer: number | undefined): BackendFaultKind {
  if (kind === "partition") {
    return { name: kind, ...loadBalancer !== undefined && { loadBalancer: loadBalancer - 1 } };
  }
  if (kind === "drain" || kind === "maintenance") return { name: kind };
  return serverFaultOf(kind) as BackendFaultKind;
}
