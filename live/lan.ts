import {
  AdminClient,
  backendTarget,
  RequestRefused,
  type Target,
  targetOf,
} from "../lib/admin/mod.ts";
import { faultsAnswer, type ServiceAnswer, serviceAnswer } from "../lib/api/mod.ts";
import {
  type Address,
  formatAddress,
  isInAny,
  isWildcard,
  parseIp,
  parsePrefix,
  UserError,
  VERSION,
} from "../lib/base/mod.ts";
import { type Config, isData } from "../lib/config/mod.ts";
import { loadConfig } from "../lib/files/mod.ts";
import { systemReason } from "../lib/io/mod.ts";
import type { Snapshot } from "../lib/observe/mod.ts";
import type { Study } from "../lib/scenario/mod.ts";
import { backendsIn, type LanFacts, requirePossible } from "./lan_limits.ts";
import { LanSystem } from "./lan_system.ts";
import type { MakeSystem } from "./live_system.ts";

/** Options for a run on a LAN. */
export interface LanOptions {
  /** The configuration file of its balancer. */
  readonly file: string;
  /** Whether its network has the latency of the scenario. */
  readonly hasLatency?: boolean | undefined;
  /** A file with further CAs to trust. */
  readonly ca?: string | undefined;
  /** Ends the run. */
  readonly signal: AbortSignal;
  /** Ends also the requests that restore the settings. */
  readonly hurry: AbortSignal;
  /** Called with one sentence for each warning, and for each setting that could not be restored. */
  readonly warn: (sentence: string, isLeft?: boolean) => void;
}

/** A balancer that does not accept a connection in this time is not reachable. */
const CONNECT_MS = 5000;
/** A backend that does not answer in this time is not reachable. */
const ANSWER_MS = 4000;

/**
 * The balancer and the backends of a LAN, which are running already, perhaps on other machines. Runs of scenarios use
 * them through their admin APIs.
 */
export class Lan {
  readonly config: Config;
  /** Where clients connect. */
  readonly listen: Address;
  readonly facts: LanFacts;
  readonly options: LanOptions;
  readonly #balancer: Target;
  readonly #backends: ReadonlyMap<string, Target>;

  /**
   * Finds the LAN of a configuration, and checks that it can run these scenarios: the balancer and all backends
   * answer, have the version of this program, and accept the token.
   *
   * @throws {UserError} that names what is missing.
   */
  static async open(options: LanOptions, study: Study): Promise<Lan> {
    const { file, ca, signal } = options;
    const config = await loadConfig(file);
    const balancer = await targetOf(config, file, ca);
    const backends = new Map<string, Target>();
    for (const { id, admin } of config.backends) {
      if (admin === undefined) {
        throw refusal(
          `${file} has no \`admin\` address for ${id}`,
          `a scenario reaches the backends by their admin APIs: add admin: HOST:PORT to ${id}`,
        );
      }
      backends.set(id, backendTarget(balancer, config, admin));
    }
    if (balancer.token === undefined) {
      throw refusal(`no token: ${balancer.tokenSource}`, "every change needs the token");
    }
    const client = new AdminClient(balancer, signal);
    const status = await client.ask("GET", "/api/status") as Snapshot;
    requireVersion("the balancer", client.place, status.version);
    const { in_use, wishes } = await client.ask("GET", "/api/config") as {
      readonly in_use: Readonly<Record<string, unknown>>;
      readonly wishes: readonly string[];
    };
    if (wishes.length > 0) {
      throw refusal(
        `the balancer has settings that are not those of its file: ${wishes.join("; ")}`,
        `withdraw them: lbsim ctl --config ${file} withdraw`,
      );
    }
    await acceptsToken(client);
    requireSameBackends(file, config, in_use);
    const listen = reachable(config.listen, balancer);
    const ownAddress = await addressTowards(listen);
    const facts = {
      inUse: in_use,
      isProxied: acceptsProxy(in_use, ownAddress),
      ownAddress,
      hasLatency: options.hasLatency ?? false,
    };
    requirePossible(study, facts);
    const lan = new Lan(config, listen, facts, options, balancer, backends);
    for (const id of backends.keys()) await lan.#requireReady(id);
    requireUp(status);
    const others = status.connections.in_flight;
    if (others > 0) {
      options.warn(
        `other clients have ${others} connections to the balancer: the result counts them, too`,
      );
    }
    return lan;
  }

  private constructor(
    config: Config,
    listen: Address,
    facts: LanFacts,
    options: LanOptions,
    balancer: Target,
    backends: ReadonlyMap<string, Target>,
  ) {
    this.config = config;
    this.listen = listen;
    this.facts = facts;
    this.options = options;
    this.#balancer = balancer;
    this.#backends = backends;
  }

  /** The admin API of the balancer. */
  balancer(signal: AbortSignal): AdminClient {
    return new AdminClient(this.#balancer, signal);
  }

  /** The admin API of a backend. */
  backend(id: string, signal: AbortSignal): AdminClient {
    return new AdminClient(this.#backends.get(id)!, signal, "backend");
  }

  /** Makes the system of a run. */
  readonly system: MakeSystem = (context) => new LanSystem(this, context);

  /** @throws {UserError} if a backend does not answer, is a different backend, or is in use. */
  async #requireReady(id: string): Promise<void> {
    const client = this.backend(id, this.options.signal);
    const answer = await serviceOf(client, id);
    requireVersion(id, client.place, answer.version);
    if (answer.service !== null) {
      throw refusal(
        `${id} serves a scenario already`,
        "wait until the other run has ended; if it was killed, the backend stops serving it within 15s",
      );
    }
    const { faults } = faultsAnswer.parse(await client.ask("GET", "/api/fault"));
    if (faults.length > 0) {
      throw refusal(
        `${id} has the fault ${faults.map(({ fault }) => fault).join(", ")}`,
        `end it first: lbsim ctl --config ${this.options.file} fault ${id} --end`,
      );
    }
    // There is no service to end: this request only shows whether the token is accepted.
    await client.ask("DELETE", "/api/service");
  }
}

/**
 * The answer of a backend about the service of a scenario.
 *
 * @throws {UserError} if it is a different backend, or cannot serve a scenario.
 */
export async function serviceOf(
  client: AdminClient,
  id: string,
  body?: unknown,
): Promise<ServiceAnswer> {
  const method = body === undefined ? "GET" : "PUT";
  const answer = await client.ask(method, "/api/service", body, ANSWER_MS).catch((error) => {
    if (!(error instanceof RequestRefused)) throw error;
    if (error.status === 404) {
      throw refusal(
        `${id} at ${client.place} cannot serve a scenario: it is an older version of lbsim`,
        `use version ${VERSION} on all machines`,
      );
    }
    throw new UserError(`${id}: ${error.message}`, { exitCode: error.exitCode, cause: error });
  });
  const { success, data } = serviceAnswer.safeParse(answer);
  if (!success) throw refusal(`the server at ${client.place} is not the admin API of ${id}`);
  if (data.backend === id) return data;
  throw refusal(`the backend at ${client.place} is not ${id}, but ${data.backend}`);
}

function refusal(message: string, hint?: string): UserError {
  return new UserError(message, { exitCode: 2, ...hint !== undefined && { hint } });
}

function requireVersion(who: string, place: string, version: string): void {
  if (version === VERSION) return;
  throw refusal(
    `${who} at ${place} runs lbsim ${version}, and this machine runs lbsim ${VERSION}`,
    "use one version on all machines",
  );
}

/** Checks the token by a request that needs it and changes nothing. */
async function acceptsToken(client: AdminClient): Promise<void> {
  try {
    await client.ask("POST", "/api/explain", { client: "192.0.2.1" });
  } catch (error) {
    // There may be no backend to pick.
    if (!(error instanceof RequestRefused && error.status === 409)) throw error;
  }
}

/** Checks that the file of this machine has the same backends as the file of the balancer. */
function requireSameBackends(
  file: string,
  { backends }: Config,
  inUse: Readonly<Record<string, unknown>>,
): void {
  const own = backends.map(({ id, address }) => `${id} at ${formatAddress(address)}`);
  const there = backendsIn(inUse).map(({ id, address }) => `${id} at ${address}`);
  const other = there.find((one) => !own.includes(one)) ?? own.find((one) => !there.includes(one));
  if (other === undefined) return;
  throw refusal(
    `the balancer uses other backends than ${file}: ${there.join(", ")}`,
    `copy the balancer's file to this machine, or write these backends into ${file}`,
  );
}

/** The address at which clients reach the balancer. If it listens on every address, this is the host of its API. */
function reachable(listen: Address, { listen: admin }: Target): Address {
  if (!isWildcard(listen.host)) return listen;
  return { host: "path" in admin ? "127.0.0.1" : admin.host, port: listen.port };
}

/** The local address with which this machine connects to the balancer. */
async function addressTowards({ host, port }: Address): Promise<string> {
  const late = AbortSignal.timeout(CONNECT_MS);
  try {
    using connection = await Deno.connect({ hostname: host, port, signal: late });
    return connection.localAddr.hostname;
  } catch (error) {
    const why = late.aborted ? `no answer within ${CONNECT_MS / 1000} s` : systemReason(error);
    throw refusal(
      `the balancer does not accept clients at ${formatAddress({ host, port })}: ${why}`,
    );
  }
}

function acceptsProxy(inUse: Readonly<Record<string, unknown>>, address: string): boolean {
  const { proxy_protocol: settings } = inUse;
  if (!isData(settings) || !Array.isArray(settings.accept_from)) return false;
  return isInAny(settings.accept_from.map((text) => parsePrefix(String(text))), parseIp(address));
}

/** @throws {UserError} if the balancer considers a backend down. */
function requireUp({ backends }: Snapshot): void {
  const down = backends.filter(({ health }) => health.state === "down");
  if (down.length === 0) return;
  const [{ id, health }] = down as [Snapshot["backends"][number]];
  const why = health.last_probe === null ? "" : `: ${health.last_probe.text}`;
  throw refusal(
    `the balancer considers ${down.map((one) => one.id).join(", ")} down${why}`,
    `start ${id}, or wait until its probes succeed`,
  );
}
