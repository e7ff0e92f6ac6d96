/** Finds, before a run begins, the parts of a scenario that the admin APIs of a LAN cannot do. */
import { formatDuration, UserError } from "../lib/base/mod.ts";
import { changedValues, type Config, isData, writtenConfig } from "../lib/config/mod.ts";
import type { BackendFault, Scenario } from "../lib/scenario/types.ts";
import type { Study } from "../lib/scenario/mod.ts";
import { configOf } from "./live_system.ts";

/** Why something is not possible, and what would be possible. */
interface Problem {
  readonly message: string;
  readonly hint: string;
}

type Data = Readonly<Record<string, unknown>>;

/** Algorithms whose picks depend on the client. */
const BY_CLIENT: readonly string[] = ["source-hash", "ring-hash", "maglev"];

/** Settings that may differ: the API changes them, or they belong to the machines. */
const OWN: readonly string[] = [
  "listen",
  "backends",
  "algorithm",
  "admin",
  "log",
  "proxy_protocol",
  "tls",
  "backend_tls",
];

/** The properties of a LAN on which the checks depend. */
export interface LanFacts {
  /** The configuration that its balancer uses, as config.yaml states it. */
  readonly inUse: Data;
  /** Whether its balancer accepts PROXY headers from this machine. */
  readonly isProxied: boolean;
  /** The address of this machine on the LAN. */
  readonly ownAddress: string;
  /** Whether its network has the latency of the scenario. */
  readonly hasLatency: boolean;
}

/**
 * Refuses a study that a LAN cannot run, with the reason.
 *
 * @throws {UserError}
 */
export function requirePossible(study: Study, facts: LanFacts): void {
  for (const { name, scenario } of study.variants) {
    const problem = problemOf(scenario, facts);
    if (problem === undefined) continue;
    const where = study.variants.length > 1 ? `${name}: ` : "";
    throw new UserError(`not possible on the LAN: ${where}${problem.message}`, {
      exitCode: 2,
      hint: problem.hint,
    });
  }
}

function problemOf(scenario: Scenario, facts: LanFacts): Problem | undefined {
  return problemOfBackends(scenario, facts) ?? problemOfWorld(scenario, facts) ??
    problemOfFaults(scenario) ?? problemOfClients(scenario, facts) ??
    problemOfSettings(scenario, facts);
}

/** The backends of both must have the same names. */
function problemOfBackends(scenario: Scenario, { inUse }: LanFacts): Problem | undefined {
  const there = backendsIn(inUse).map(({ id }) => String(id));
  const wanted = scenario.balancer.backends.map(({ id }) => id);
  const missing = wanted.filter((id) => !there.includes(id));
  const more = there.filter((id) => !wanted.includes(id));
  if (missing.length === 0 && more.length === 0) return undefined;
  const parts = [
    ...missing.length > 0 ? [`the LAN has no ${missing.join(", ")}`] : [],
    ...more.length > 0 ? [`the scenario has no ${more.join(", ")}`] : [],
  ];
  return {
    message: parts.join(", and "),
    hint: "the backends of both need the same ids: write `extends: config.yaml` in the scenario",
  };
}

function problemOfWorld(scenario: Scenario, { hasLatency }: LanFacts): Problem | undefined {
  const { loadBalancers, network: { backendLatency }, hashPlacement, changes = [] } = scenario;
  if (loadBalancers > 1) {
    return {
      message: `${loadBalancers} load balancers: a config.yaml has one`,
      hint: "set `load_balancers: 1`",
    };
  }
  const isInstant = backendLatency.kind === "deterministic" && backendLatency.value === 0;
  if (!hasLatency && !isInstant) {
    return {
      message:
        "`network`: messages between balancer and backends take the time of the real network",
      hint:
        "set `network.backend_latency: 0s`; or if the real network has this latency: --network real",
    };
  }
  const { name } = configOf(scenario).algorithm;
  if (hashPlacement === "redrawn" && BY_CLIENT.includes(name)) {
    return {
      message: "`hash_placement: redrawn`: the real backends keep their names, so " +
        `${name} always places clients in the same way`,
      hint: "set `hash_placement: fixed`",
    };
  }
  if (changes.length === 0) return undefined;
  return { message: "`changes`: settings stay as they are during a run", hint: "remove `changes`" };
}

const IMPOSSIBLE: Readonly<Record<string, Problem>> = {
  "lb-restart": {
    message: "the fault lb-restart: the API of a balancer cannot restart it",
    hint: "remove the fault; lbsim live without --config can do it",
  },
  partition: {
    message: "the fault partition: the API of a backend cannot cut its network",
    hint: "use hang, or pull the cable at that time",
  },
};

function problemOfFaults({ faults, balancer }: Scenario): Problem | undefined {
  for (const { kind } of faults) {
    const problem = IMPOSSIBLE[kind.name];
    if (problem !== undefined) return problem;
  }
  const ofBackends = faults.filter((fault) => "backend" in fault);
  for (const [i, one] of ofBackends.entries()) {
    const other = ofBackends.slice(i + 1).find((two) => isSameAtOnce(one, two));
    if (other === undefined) continue;
    return {
      message: `two faults ${one.kind.name} of ${
        balancer.backends[one.backend]!.id
      } at the same time: a backend can have only one fault of each kind`,
      hint: `let the second one begin after ${formatDuration(one.at + one.for)}`,
    };
  }
  return undefined;
}

function isSameAtOnce(one: BackendFault, two: BackendFault): boolean {
  return one.backend === two.backend && one.kind.name === two.kind.name &&
    one.at < two.at + two.for && two.at < one.at + one.for;
}

/** If all clients have the same address, no setting may depend on the client. */
function problemOfClients(scenario: Scenario, facts: LanFacts): Problem | undefined {
  const { inUse, isProxied, ownAddress } = facts;
  if (isData(inUse.tls)) {
    return {
      message:
        "the balancer speaks TLS with its clients, but the clients of a scenario do not use TLS",
      hint: "remove `tls` from its configuration",
    };
  }
  if (isProxied) return undefined;
  const { sticky, algorithm, limits } = configOf(scenario);
  const reason = sticky !== undefined
    ? "`sticky`"
    : BY_CLIENT.includes(algorithm.name)
    ? `the algorithm ${algorithm.name}`
    : limits.perClient !== undefined
    ? "`limits.per_client`"
    : undefined;
  if (reason === undefined) return undefined;
  return {
    message:
      `${reason} depends on the clients' addresses, but here all clients have the address ${ownAddress}`,
    hint: `write \`proxy_protocol: {accept_from: [${ownAddress}]}\` in the configuration of the ` +
      "balancer: then each client has its own address",
  };
}

/** The API sets the algorithm, and the weights and modes of backends. Everything else must be equal. */
function problemOfSettings(scenario: Scenario, { inUse }: LanFacts): Problem | undefined {
  const wanted = comparable(writtenConfig(configOf(scenario)));
  const [first, ...more] = changedValues("", comparable(inUse), wanted);
  if (first === undefined) return undefined;
  const others = more.length === 0 ? "" : `, and ${more.length} more`;
  return {
    message:
      `a setting of the balancer that the API cannot change differs from the scenario (balancer → scenario): ${
        first.replace(/^\./, "")
      }${others}`,
    hint: "write `extends: config.yaml` in the scenario, or change the balancer's configuration",
  };
}

function comparable(config: Data): Data {
  const { limits, sticky, ...rest } = Object.fromEntries(
    Object.entries(config).filter(([key]) => !OWN.includes(key)),
  );
  const { connections: _connections, ...ofClients } = isData(limits) ? limits : {};
  const { store: _store, ...sessions } = isData(sticky) ? sticky : {};
  const backends = backendsIn(config).map(({ id, backup, max_connections }) => [
    String(id),
    { backup, max_connections },
  ]);
  return {
    ...rest,
    limits: ofClients,
    ...isData(sticky) && { sticky: sessions },
    backends: Object.fromEntries(backends),
  };
}

/** The backends of a configuration as config.yaml states it. */
export function backendsIn({ backends }: Data): readonly Data[] {
  return Array.isArray(backends) ? backends.filter(isData) : [];
}

/** The settings of a balancer that the API sets. */
export function settable(config: Config) {
  const { algorithm } = writtenConfig(config);
  return {
    algorithm,
    backends: config.backends.map(({ id, weight, mode }) => ({ id, weight, mode })),
  };
}
