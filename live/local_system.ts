import { isDeepStrictEqual } from "node:util";
import { Balancer } from "../lb/mod.ts";
import {
  type Address,
  childSeed,
  createRandom,
  type Nanoseconds,
  NS_PER_S,
  parsePrefix,
} from "../lib/base/mod.ts";
import type { Config } from "../lib/config/mod.ts";
import type { BackendMode, ConnectionMeter, MeteredBackend } from "../lib/core/mod.ts";
import type { BackendFault, Fault } from "../lib/scenario/types.ts";
import { isPlanned } from "../sim/measure/mod.ts";
import { createNetwork, type Network, placed, serversById } from "../sim/model/mod.ts";
import type { ReadyScenario } from "../sim/study/mod.ts";
import { configOf, type LiveSystem, modeUnder, type SystemContext } from "./live_system.ts";
import { LabDashboard } from "./lab_dashboard.ts";
import { ScenarioBackend } from "./scenario_backend.ts";

/**
 * Clients of a run connect from these addresses. Like a proxy, they state the client's address in a
 * PROXY header.
 */
const LOOPBACK = parsePrefix("127.0.0.0/8");
const LISTEN: Address = { host: "127.0.0.1", port: 0 };
/** This timeout is long, because the machine may be busy. */
const PROXY_TIMEOUT: Nanoseconds = 60 * NS_PER_S;

/** The first balancer of a system in this process, and its dashboard. */
export interface LiveLab {
  /** The first balancer. */
  readonly balancer: Balancer;
  readonly dashboard?: { readonly url: string; readonly token: string };
}

/** Options of a system in this process. */
export interface LocalOptions {
  /** Whether the first balancer has a dashboard. It must not be restarted by a fault. */
  readonly dashboard?: boolean | undefined;
  /** Called when everything is ready, before clients begin. */
  readonly ready?: ((lab: LiveLab) => void) | undefined;
}

/** The balancers and backends of a run, in this process. */
export class LocalSystem implements LiveSystem {
  readonly backends: readonly ScenarioBackend[];
  readonly clientAddress = undefined;
  readonly hasLatency = false;
  readonly eventsLate = 0;
  readonly #context: SystemContext;
  readonly #options: LocalOptions;
  readonly #links: Network;
  /** The present scenario. */
  #scenario: ReadyScenario;
  /** The configuration of each balancer. */
  #configs: readonly Config[];
  readonly #balancers: (Balancer | undefined)[];
  /** The backend that got each attempt in progress. */
  readonly #backendOf = new Map<string, number>();
  readonly #active = new Set<Fault>();
  readonly #stopping: Promise<unknown>[] = [];
  #dashboard: LabDashboard | undefined;

  /** @throws {UserError} if a backend cannot listen. */
  constructor(context: SystemContext, options: LocalOptions = {}) {
    const { scenario, seed, alarms, onFailed } = context;
    const { loadBalancers, network } = scenario;
    const balancer = configOf(scenario);
    this.#context = context;
    this.#options = options;
    this.#scenario = scenario;
    this.#links = createNetwork(network, seed);
    const common = {
      ...{ alarms, onFailed },
      balancers: loadBalancers,
      expected: balancer.healthCheck.expect ?? "",
      random: createRandom(childSeed(seed, "probe failures")),
      latency: () => this.#links.backend.delay(),
      onJob: (id: string, backend: number) => this.#backendOf.set(id, backend),
    };
    this.backends = serversById(scenario).map(([id, options], index) =>
      new ScenarioBackend(id, index, options, common)
    );
    this.#configs = this.#localConfigs();
    this.#balancers = this.#configs.map(() => undefined);
    context.streams.forEach((stream) => {
      stream.meter = new Flights((id, change) => this.#backend(id).flights.count(change));
    });
  }

  async start(): Promise<void> {
    await this.#openDashboard();
    for (let index = 0; index < this.#balancers.length; index++) await this.#startBalancer(index);
    const [balancer] = this.#balancers as [Balancer];
    const url = await this.#dashboard?.serve(balancer);
    this.#context.signal.throwIfAborted();
    const { token } = this.#dashboard ?? {};
    this.#options.ready?.({
      balancer,
      ...url !== undefined && token !== undefined && { dashboard: { url, token } },
    });
  }

  addressOf(balancer: number): Address | undefined {
    return this.#balancers[balancer]?.address;
  }

  modeOf(backend: number): BackendMode | undefined {
    return this.#balancers[0]?.scheduler.backend(this.backends[backend]!.id)?.mode;
  }

  takeBackendOf(attempt: string): number | undefined {
    const backend = this.#backendOf.get(attempt);
    this.#backendOf.delete(attempt);
    return backend;
  }

  change(scenario: ReadyScenario): void {
    const { balancer: before } = this.#scenario;
    const { balancer, servers, network } = scenario;
    this.#scenario = scenario;
    this.#links.backend.change(network.backendLatency);
    balancer.backends.forEach(({ id }, i) => this.#backend(id).change(servers[i]!));
    if (!isDeepStrictEqual(before, balancer)) this.#reconfigure();
  }

  begin(fault: Fault): void {
    this.#active.add(fault);
    if ("loadBalancer" in fault) this.#stopBalancer(fault.loadBalancer);
    else this.#change(fault, 1);
  }

  end(fault: Fault): void {
    this.#active.delete(fault);
    if ("backend" in fault) this.#change(fault, -1);
    else this.#restartBalancer(fault.loadBalancer);
  }

  async close(): Promise<void> {
    await this.#dashboard?.stop();
    this.#balancers.forEach((_, index) => this.#stopBalancer(index));
    await Promise.all(this.#stopping);
    await Promise.all(this.backends.map((backend) => backend.close()));
  }

  #localConfigs(): Config[] {
    const { seed } = this.#context;
    const scenario = this.#scenario;
    const config = configOf({ ...scenario, balancer: placed(scenario, seed) });
    return Array.from(
      { length: scenario.loadBalancers },
      (_, index) => localConfig(config, this.backends, index, this.#dashboard?.backends),
    );
  }

  async #openDashboard(): Promise<void> {
    if (!this.#options.dashboard) return;
    const { streams, alarms } = this.#context;
    const faults = this.backends.map((backend) => backend.faults);
    this.#dashboard = await LabDashboard.open(faults, streams[0]!, alarms.now);
    this.#configs = this.#localConfigs();
  }

  /** A fault of a backend begins or ends. A fault that has a duration ends by itself. */
  #change(fault: BackendFault, change: 1 | -1): void {
    const { kind, backend: index } = fault;
    const backend = this.backends[index]!;
    switch (kind.name) {
      case "partition":
        backend.cut(fault, change);
        break;
      case "drain":
      case "maintenance":
        this.#balancers.forEach((balancer) => balancer && this.#setMode(balancer, index));
        break;
      default:
        if (change === 1) void backend.faults.begin(kind, fault.for);
    }
  }

  #backend(id: string): ScenarioBackend {
    return this.backends.find((backend) => backend.id === id)!;
  }

  /** The balancers have another configuration. */
  #reconfigure(): void {
    this.#configs = this.#localConfigs();
    this.#balancers.forEach((balancer, index) => {
      if (balancer === undefined) return;
      // The configuration applies at once, except that new backends are probed first.
      balancer.reload(this.#configs[index]!).catch(this.#context.onFailed);
      this.#setModes(balancer);
    });
  }

  /** Sets the backends that have a planned fault at present to the mode that it asks for. */
  #setModes(balancer: Balancer): void {
    for (const fault of this.#active) {
      if ("backend" in fault && isPlanned(fault.kind)) this.#setMode(balancer, fault.backend);
    }
  }

  #setMode({ scheduler }: Balancer, index: number): void {
    const backend = this.backends[index]!;
    const mode = modeUnder(this.#active, this.#scenario, backend);
    if (mode !== undefined) scheduler.setMode(backend.id, mode, this.#context.alarms.now());
  }

  async #startBalancer(index: number): Promise<void> {
    const { streams, alarms, seed, signal } = this.#context;
    this.#balancers[index] = await Balancer.start(this.#configs[index]!, {
      events: streams[index]!,
      now: () => alarms.now(),
      seed: childSeed(seed, "balancer", index),
      ...index === 0 && { monitor: this.#dashboard?.monitor.monitor },
      signal,
    });
  }

  #stopBalancer(index: number): void {
    const balancer = this.#balancers[index];
    this.#balancers[index] = undefined;
    if (balancer !== undefined) this.#stopping.push(balancer.stop(AbortSignal.abort()));
  }

  /**
   * Starts a balancer again, unless another fault stops it. It listens after every backend was
   * probed once.
   */
  #restartBalancer(index: number): void {
    const isStopped = [...this.#active].some((fault) =>
      "loadBalancer" in fault && fault.loadBalancer === index
    );
    if (isStopped || this.#balancers[index] !== undefined) return;
    this.#startBalancer(index).then(
      () => this.#setModes(this.#balancers[index]!),
      this.#context.onFailed,
    );
  }
}

/** Follows the number of connections in flight. */
class Flights implements ConnectionMeter {
  readonly #count: (backend: string, change: 1 | -1) => void;

  constructor(count: (backend: string, change: 1 | -1) => void) {
    this.#count = count;
  }

  picked({ id }: MeteredBackend): void {
    this.#count(id, 1);
  }

  connectFailed({ id }: MeteredBackend): void {
    this.#count(id, -1);
  }

  closed({ id }: MeteredBackend): void {
    this.#count(id, -1);
  }

  arrived(): void {}
  left(): void {}
  opened(): void {}
  answered(): void {}
  refused(): void {}
  queued(): void {}
}

/**
 * The configuration of the balancers: as the scenario says, on loopback. Clients come through a proxy that
 * names them, because loopback does not have the addresses of the simulated clients.
 */
function localConfig(
  config: Config,
  backends: readonly ScenarioBackend[],
  balancer: number,
  admins: readonly Address[] | undefined,
): Config {
  const { tls: _tls, backendTls: _backendTls, ...rest } = config;
  return {
    ...rest,
    listen: LISTEN,
    backends: config.backends.map((backend) => {
      const { index, addresses } = backends.find(({ id }) => id === backend.id)!;
      return {
        ...backend,
        address: addresses[balancer]!,
        ...admins !== undefined && { admin: admins[index]! },
      };
    }),
    proxyProtocol: { acceptFrom: [LOOPBACK], send: "off", timeout: PROXY_TIMEOUT },
    admin: { ...config.admin, listen: "off" },
  };
}
