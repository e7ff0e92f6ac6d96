/** From what a scenario's file says to the form that runs. */
import { isData } from "../config/data.ts";
import type { Config } from "../config/mod.ts";
import { didYouMean } from "../config/suggest.ts";
import { type Finding, validate, valueAt } from "../config/findings.ts";
import { type Nanoseconds, NS_PER_S } from "../core/mod.ts";
import { type Distribution, meanOf } from "../stats/variates.ts";
import { workCapacity, workPerConnection } from "./load.ts";
import { merge } from "./patch.ts";
import { type ScenarioFile, serverSchema } from "./schema.ts";
import type {
  Arrivals,
  BackendFaultKind,
  End,
  Fault,
  Network,
  Scenario,
  ServerOptions,
  TraceEntry,
} from "./types.ts";

/** A scenario, unless there are findings. */
export interface Built {
  readonly scenario?: Scenario;
  readonly findings: readonly Finding[];
}

const DURATION = 60 * NS_PER_S;
/** The part of a run that is warm-up, if nothing is said. */
const WARMUP_SHARE = 0.1;

/**
 * Puts a scenario together.
 *
 * @param file What the schema made of the data.
 * @param data The same as it was written: in `servers`, what is left out is not what its default is.
 * @param readTrace The recorded arrivals at a path.
 */
export function buildScenario(
  file: ScenarioFile,
  data: unknown,
  config: Config,
  readTrace: (path: string) => TraceEntry[],
): Built {
  const findings: Finding[] = [];
  const ids = config.backends.map(({ id }) => id);
  const servers = serversOf(data, ids, findings);
  const capacity = capacityOf(file, config, servers);
  const arrivals = arrivalsOf(file, capacity, readTrace, findings);
  const end = endOf(file);
  findings.push(...neverComing(arrivals, end));
  const faults = faultsOf(file, ids, end, findings);
  if (findings.length > 0) return { findings };
  const { workload } = file;
  const { max, backoff, multiplier, jitter } = workload.retries;
  return {
    findings,
    scenario: {
      balancer: file.idle_reports ? reportedTo(config) : config,
      loadBalancers: file.load_balancers,
      idleReports: file.idle_reports,
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
      faults,
      end,
      warmup: file.warmup ?? warmupOf(end, arrivals),
    },
  };
}

/** The same balancer, to which backends report that they are idle. */
function reportedTo(config: Config): Config {
  const { algorithm } = config;
  if (algorithm.name !== "join-idle-queue") return config;
  return { ...config, algorithm: { ...algorithm, backendsReport: true } as Config["algorithm"] };
}

function serversOf(data: unknown, ids: readonly string[], findings: Finding[]): ServerOptions[] {
  const servers = valueAt(data, ["servers"]);
  const written = isData(servers) ? servers : {};
  for (const id of Object.keys(written)) {
    if (id === "default" || ids.includes(id)) continue;
    findings.push({
      path: ["servers", id],
      key: true,
      message: `there is no backend "${id}"`,
      hint: didYouMean(id, ["default", ...ids]) ?? `there is: default, ${ids.join(", ")}`,
    });
  }
  return ids.map((id) => {
    const { value } = validate(serverSchema, merge(written.default ?? {}, written[id]), () => []);
    // What is wrong with it has been found where it was written.
    return value ?? serverSchema.parse({});
  });
}

/** Connections per second that keep all backends just busy that clients are meant for. */
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
  readTrace: (path: string) => TraceEntry[],
  findings: Finding[],
): Arrivals {
  const [kind, value] = Object.entries(workload.arrivals)[0]!;
  if (kind === "trace") return { kind, entries: readTrace(value as string) };
  const { load, ...rest } = value as { load?: number; rate?: number };
  if (load === undefined) return { kind, ...rest } as unknown as Arrivals;
  if (!Number.isFinite(capacity)) {
    findings.push({
      path: ["workload", "arrivals", kind, "load"],
      message: "load is a share of what the backends can do, and that is unlimited here",
      hint: "say `rate: 800/s`, or limit their slots",
    });
  }
  return { kind, ...rest, rate: load * capacity } as unknown as Arrivals;
}

/** Arrivals that would keep a run from ever reaching its end. */
function neverComing(arrivals: Arrivals, end: End): Finding[] {
  const found = (message: string, hint: string, ...path: string[]): Finding[] => [
    { path: ["workload", "arrivals", ...path], message, hint },
  ];
  switch (arrivals.kind) {
    case "mmpp":
      if (arrivals.states.some(({ rate }) => rate > 0)) return [];
      return found("no client would ever come", "give a state a rate", "mmpp", "states");
    case "on_off":
      if (meanOf(arrivals.on) > 0) return [];
      return found("no client would ever come", "make it longer than 0s", "on_off", "on");
    case "renewal":
      if (meanOf(arrivals.gap) > 0) return [];
      return found("all clients would come at once", "make it longer than 0s", "renewal", "gap");
    case "trace": {
      if (!("connections" in end) || end.connections <= arrivals.entries.length) return [];
      const { length } = arrivals.entries;
      return [{
        path: ["connections"],
        message: `the trace has only ${length} connection${length === 1 ? "" : "s"}`,
        hint: `make connections at most ${length}, or say \`duration\` instead`,
      }];
    }
    default:
      return [];
  }
}

function networkOf({ network }: ScenarioFile): Network {
  const { latency, client_latency: client, backend_latency: backend } = network;
  const none: Distribution = { kind: "deterministic", value: 0 };
  return {
    clientLatency: client ?? latency ?? none,
    backendLatency: backend ?? latency ?? none,
  };
}

function endOf({ duration = DURATION, connections }: ScenarioFile): End {
  return connections === undefined ? { duration } : { connections };
}

/** A tenth of the run. A run that ends by a count of connections has to be asked how long it is. */
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
    const complain = (key: string, message: string, hint?: string) =>
      findings.push({ path: ["faults", i, key], message, ...hint !== undefined && { hint } });
    const { load_balancer: number } = fault;
    const times = { at: fault.at, for: fault.for ?? Infinity };
    if ("duration" in end && fault.at >= end.duration) {
      complain("at", "the fault begins after the end of the run");
    }
    if (number !== undefined && number > file.load_balancers) {
      complain(
        "load_balancer",
        `there is no load balancer ${number}: ${file.load_balancers} in all`,
      );
    }
    if (fault.kind === "lb-restart") {
      if (fault.backend !== undefined) complain("backend", "lb-restart is not about a backend");
      return [{ ...times, loadBalancer: (number ?? 1) - 1, kind: { name: "lb-restart" } }];
    }
    if (number !== undefined && fault.kind !== "partition") {
      complain("load_balancer", "only partition and lb-restart are about a load balancer");
    }
    if (fault.backend === undefined) {
      complain("kind", "which backend?", `add it, like \`backend: ${ids[0]}\``);
      return [];
    }
    const kind = kindOf(fault.kind, number);
    return [fault.backend].flat().flatMap((id): Fault[] => {
      const backend = ids.indexOf(id);
      if (backend >= 0) return [{ ...times, backend, kind }];
      complain(
        "backend",
        `there is no backend "${id}"`,
        didYouMean(id, ids) ?? `there is: ${ids.join(", ")}`,
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
  if (typeof kind === "string") return { name: kind };
  if (kind.slow !== undefined) return { name: "slow", factor: kind.slow };
  if (kind["fail-rate"] !== undefined) return { name: "fail-rate", rate: kind["fail-rate"] };
  if (kind["fast-errors"] !== undefined) return { name: "fast-errors", rate: kind["fast-errors"] };
  if (kind.flap !== undefined) return { name: "flap", ...kind.flap };
  const { rate, slow } = kind.gray!;
  return { name: "gray", rate, factor: slow };
}
