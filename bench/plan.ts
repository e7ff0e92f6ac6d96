/** Creates a load from the options of the command line. */
import {
  childSeed,
  formatDuration,
  type Nanoseconds,
  NS_PER_S,
  UserError,
} from "../lib/base/mod.ts";
import { YamlFile } from "../lib/config/mod.ts";
import { loadStudy, studyOf } from "../lib/files/load_study.ts";
import { plain } from "../lib/report/mod.ts";
import type { Scenario, Workload } from "../lib/scenario/types.ts";
import { KeyedRandom } from "../lib/stats/mod.ts";
import {
  createArrivals,
  Demand,
  type OpenArrivals,
  type Ramp,
  replicationSeed,
} from "../lib/workload/mod.ts";
import type { Tally } from "./core/mod.ts";
import { type LinksOptions, type Load, PooledLoad, SessionLoad } from "./drive/mod.ts";

/** The flags that describe the load. Exactly one of the first six is set. */
export interface LoadFlags {
  readonly rate?: number | undefined;
  readonly ramp?: { readonly from: number; readonly to: number } | undefined;
  readonly closed?: number | undefined;
  readonly arrivals?: string | undefined;
  readonly trace?: string | undefined;
  readonly scenario?: string | undefined;
  readonly set: readonly string[];
  readonly poisson: boolean;
  readonly duration?: Nanoseconds | undefined;
  readonly seed?: number | undefined;
  readonly connections?: number | undefined;
  readonly requestsPerConnection?: number | undefined;
}

/** A load that can be run. */
export interface Plan {
  /** The load in words. */
  readonly description: string;
  readonly isClosed: boolean;
  readonly seed: number;
  readonly duration: Nanoseconds;
  /** Connections that may be open at the same time. */
  readonly connections: number;
  readonly timeout: Nanoseconds | undefined;
  create(options: PlanOptions, tally: Tally): Load;
}

/** The options of a load that no flag sets. */
export interface PlanOptions extends LinksOptions {
  readonly from?: ((connection: number) => string) | undefined;
  readonly client?: ((client: number) => string) | undefined;
}

const KINDS = ["rate", "ramp", "closed", "arrivals", "trace", "scenario"] as const;

const DURATION: Nanoseconds = 10 * NS_PER_S;
const SEED = 1;
/** Kept connections are all opened before the first request, and are used evenly. */
const KEPT_CONNECTIONS = 50;
/** Connections for one or a few requests are opened when they are needed. */
const SHORT_CONNECTIONS = 1000;

const NOTHING = { kind: "deterministic", value: 0 } as const;

/**
 * Reads the flags, and the files that they name.
 *
 * @throws {UserError} if they do not fit together, or a file cannot be used.
 */
export async function planOf(flags: LoadFlags): Promise<Plan> {
  const given = KINDS.filter((kind) => flags[kind] !== undefined);
  if (given.length !== 1) {
    throw new UserError(
      given.length === 0
        ? "the load is missing: use one of these flags: " +
          KINDS.map((kind) => `--${kind}`).join(", ")
        : `${given.map((kind) => `--${kind}`).join(" and ")}: use only one of them`,
      { exitCode: 2, hint: "lbsim bench 127.0.0.1:8000 --rate 1000" },
    );
  }
  refuseUnused(flags, given[0]!);
  if (flags.scenario !== undefined) return await ofScenario(flags, flags.scenario);
  const { seed = SEED } = flags;
  if (flags.closed !== undefined) return closedLoop(flags, flags.closed, seed);
  return await openLoop(flags, seed);
}

/** Flags that have no meaning for a kind of load are refused, not ignored. */
function refuseUnused(flags: LoadFlags, kind: typeof KINDS[number]): void {
  const refuse = (flag: string, why: string) => {
    throw new UserError(`${flag}: ${why}`, { exitCode: 2 });
  };
  if (flags.poisson && kind !== "rate" && kind !== "ramp") {
    refuse("--poisson", "only with --rate or --ramp");
  }
  if (flags.set.length > 0 && kind !== "scenario") refuse("--set", "only with --scenario");
  if (kind === "closed" && flags.connections !== undefined) {
    refuse("--connections", "a closed loop has one connection for each client: use --closed N");
  }
  if (kind !== "scenario") return;
  if (flags.connections !== undefined) {
    refuse("--connections", "the scenario sets the number of connections");
  }
  if (flags.requestsPerConnection !== undefined) {
    refuse("--requests-per-connection", "use --set workload.requests_per_connection=…");
  }
}

async function openLoop(flags: LoadFlags, seed: number): Promise<Plan> {
  const { requestsPerConnection: requests = Infinity } = flags;
  const isKept = requests > KEPT_CONNECTIONS;
  const { connections = isKept ? KEPT_CONNECTIONS : SHORT_CONNECTIONS } = flags;
  const arrivals = await arrivalsOf(flags);
  const last = arrivals.kind === "trace" ? arrivals.entries.at(-1)!.at + 1 : undefined;
  const duration = flags.duration ?? last ?? DURATION;
  return {
    description: [
      arrivalsInWords(arrivals),
      ...duration === last ? [] : [`for ${formatDuration(duration)}`],
      connectionsInWords(connections, requests),
    ].join(", "),
    isClosed: false,
    seed,
    duration,
    connections,
    timeout: undefined,
    create: (options, tally) =>
      new PooledLoad({
        ...options,
        arrivals: createArrivals(arrivals, arrivalsRandom(seed)),
        until: duration,
        connections,
        isFilled: isKept,
        requestsPerConnection: requests,
      }, tally),
  };
}

/** The random numbers of the arrivals: those of the simulator's first replication. */
function arrivalsRandom(seed: number): KeyedRandom {
  return new KeyedRandom(childSeed(replicationSeed(seed, 0), "arrivals")).seek(0, 0);
}

function closedLoop(flags: LoadFlags, clients: number, seed: number): Plan {
  const { duration = DURATION, requestsPerConnection: requests = Infinity } = flags;
  const workload: Workload = {
    arrivals: { kind: "closed", clients, think: NOTHING },
    clients: { count: clients, zipf: 0 },
    requestsPerConnection: { kind: "deterministic", value: requests },
    thinkTime: NOTHING,
    timeout: Infinity,
    retries: { max: 0, backoff: 0, multiplier: 1, jitter: 0 },
  };
  return {
    description: [
      `a closed loop of ${clients} ${clients === 1 ? "client" : "clients"}`,
      `for ${formatDuration(duration)}`,
      connectionsInWords(clients, requests),
    ].join(", "),
    isClosed: true,
    seed,
    duration,
    connections: clients,
    timeout: undefined,
    create: (options, tally) =>
      sessions(options, tally, { workload, service: NOTHING }, duration, seed),
  };
}

async function ofScenario(flags: LoadFlags, file: string): Promise<Plan> {
  const study = await loadStudy(file, [...flags.set, "expect=[]"]);
  const { variants, title } = study;
  const { seed = study.seed } = flags;
  const [first] = variants;
  const { workload, service, end } = first!.scenario;
  const loads = new Set(variants.map(({ scenario }) => JSON.stringify(scenario.workload)));
  if (loads.size > 1) {
    throw new UserError(`${file} compares different workloads`, {
      exitCode: 2,
      hint:
        "choose one workload: --set compare={}, and a --set for each setting that the scenario compares",
    });
  }
  const isClosed = workload.arrivals.kind === "closed";
  const duration = flags.duration ?? ("duration" in end ? end.duration : Infinity);
  return {
    description: `the clients of ${title ?? file}` +
      (duration === Infinity ? "" : `, for ${formatDuration(duration)}`),
    isClosed,
    seed,
    duration,
    connections: workload.arrivals.kind === "closed" ? workload.arrivals.clients : 0,
    timeout: workload.timeout === Infinity ? undefined : workload.timeout,
    create(options, tally) {
      const load = { workload, service };
      const { population } = new Demand(load, seed);
      // Each client has the same address as in the simulator, because hashes and sessions depend on the address.
      const client = (index: number) => population.address(index);
      return sessions({ ...options, client }, tally, load, duration, seed, end);
    },
  };
}

function sessions(
  options: PlanOptions,
  tally: Tally,
  { workload, service }: Pick<Scenario, "workload" | "service">,
  duration: Nanoseconds,
  seed: number,
  end?: Scenario["end"],
): Load {
  return new SessionLoad({
    ...options,
    demand: new Demand({ workload, service }, replicationSeed(seed, 0)),
    until: duration,
    retries: workload.retries.max,
    retryUntil: duration,
    ...end !== undefined && "connections" in end && { connections: end.connections },
  }, tally);
}

async function arrivalsOf(flags: LoadFlags): Promise<OpenArrivals | Ramp> {
  const { rate, ramp, poisson } = flags;
  const spacing = poisson ? "poisson" : "deterministic";
  if (rate !== undefined) return { kind: spacing, rate };
  if (ramp !== undefined) {
    return { kind: "ramp", ...ramp, over: flags.duration ?? DURATION, spacing };
  }
  const [flag, notation] = flags.trace === undefined
    ? ["--arrivals", flags.arrivals!]
    : ["--trace", `{trace: ${JSON.stringify(flags.trace)}}`];
  return await arrivalsFrom(flag, notation);
}

/** Arrivals in the notation of a scenario. */
async function arrivalsFrom(flag: string, notation: string): Promise<OpenArrivals> {
  if (/\bload\b/.test(notation)) {
    throw new UserError(`${flag}: a load is a share of the capacity of a scenario's backends`, {
      exitCode: 2,
      hint: "use a rate, like {poisson: 800/s}, or --scenario",
    });
  }
  const text = `balancer: {backends: 1}\nworkload: {arrivals: ${notation}}\n`;
  const { variants } = await studyOf(new YamlFile({ file: flag, text }), []);
  const { arrivals } = variants[0]!.scenario.workload;
  if (arrivals.kind !== "closed") return arrivals;
  throw new UserError(`${flag}: a closed loop has no arrivals`, {
    exitCode: 2,
    hint: "use --closed N",
  });
}

function arrivalsInWords(arrivals: OpenArrivals | Ramp): string {
  switch (arrivals.kind) {
    case "deterministic":
      return `${plain(arrivals.rate)} requests/s, evenly spaced`;
    case "poisson":
      return `${plain(arrivals.rate)} requests/s at random (Poisson)`;
    case "ramp":
      return `${plain(arrivals.from)} to ${plain(arrivals.to)} requests/s` +
        (arrivals.spacing === "poisson" ? " at random" : "");
    case "trace":
      return `${arrivals.entries.length} recorded requests`;
    default:
      return `arrivals of the kind ${arrivals.kind}`;
  }
}

function connectionsInWords(connections: number, requests: number): string {
  const many = `${connections} ${connections === 1 ? "connection" : "connections"}`;
  if (requests === Infinity) return many;
  return `at most ${many} with ${requests} ${requests === 1 ? "request" : "requests"} each`;
}
