import { assert, childSeed, type Nanoseconds } from "../../lib/base/mod.ts";
import { isHash } from "../../lib/core/mod.ts";
import type { Balancer, Overheads, Scenario, ServerOptions } from "../../lib/scenario/types.ts";
import { BackendModel } from "./backend_model.ts";
import { BalancerModel } from "./balancer_model.ts";
import { Clients } from "./clients.ts";
import {
  ASSIGNED,
  AT_BACKEND,
  AWAITED,
  type Connection,
  Connections,
  IN_USE,
  QUEUED,
  RESERVED,
} from "./connections.ts";
import { ARRIVAL, BACKGROUND, EventQueue } from "../engine/mod.ts";
import { FaultInjector } from "./fault_injector.ts";
import { IdleReports } from "./idle_reports.ts";
import { EventLoops } from "./event_loops.ts";
import { createNetwork, type Network } from "./network.ts";
import { Prober } from "./prober.ts";
import { type Outcome, Recorder } from "../measure/mod.ts";
import { Relay } from "./relay.ts";
import { Service } from "./service.ts";
import { Chances } from "../../lib/workload/mod.ts";
import { idealStoresOf } from "./ideal_store.ts";

/** Observes how requests end, including those of the warm-up. It changes nothing. */
export interface RequestWatcher {
  /** An answer has reached its client. */
  answered(connection: Connection, now: Nanoseconds): void;
  /** An attempt has failed; the client may try again. */
  attemptFailed(
    connection: Connection,
    outcome: Exclude<Outcome, "done">,
    isLast: boolean,
    now: Nanoseconds,
  ): void;
}

const NO_OVERHEADS: Overheads = { connect: 0, relayConnection: 0, relayRequest: 0 };

/** The flags of a connection that is still used. */
const USED = AWAITED | ASSIGNED | RESERVED | AT_BACKEND | QUEUED;

/**
 * A simulated world: its state (queue, connections, backends, balancers) and the parts that act (clients,
 * relay, service, prober, faults). The parts reach each other through it.
 */
export class World {
  scenario: Scenario;
  /** The seed of this replication. Every purpose has a seed that is computed from it. */
  readonly seed: number;
  /** Requests that begin from this time on are measured. */
  readonly warmup: Nanoseconds;
  readonly queue = new EventQueue(BACKGROUND, ARRIVAL);
  readonly connections = new Connections();
  readonly network: Network;
  readonly overheads: Overheads;
  /** Undefined if the balancers take no time. */
  readonly loops: EventLoops | undefined;
  readonly chances: Chances;
  readonly balancers: readonly BalancerModel[];
  readonly recorder: Recorder;
  readonly clients: Clients;
  readonly relay: Relay;
  readonly service: Service;
  readonly prober: Prober;
  readonly faults: FaultInjector;
  /** Undefined if backends send no idle reports. */
  readonly idleReports: IdleReports | undefined;
  watcher: RequestWatcher | undefined;
  readonly #backends: BackendModel[];
  readonly #byId: Map<string, BackendModel>;

  constructor(scenario: Scenario, seed: number, warmup: Nanoseconds) {
    const { balancer, servers, loadBalancers, workload, network, overheads } = scenario;
    assert(servers.length === balancer.backends.length, "every backend has its server options");
    this.scenario = scenario;
    this.seed = seed;
    this.warmup = warmup;
    this.network = createNetwork(network, seed, overheads === undefined);
    this.overheads = overheads ?? NO_OVERHEADS;
    this.loops = overheads && new EventLoops(overheads, loadBalancers, this.queue);
    this.chances = new Chances(seed);
    this.#backends = serversById(scenario).map(([id, options], index) =>
      new BackendModel(id, index, options, this)
    );
    this.#byId = new Map(this.#backends.map((backend) => [backend.id, backend]));
    this.balancers = idealStoresOf(balancer, loadBalancers).map((store, index) =>
      new BalancerModel(placed(scenario, seed), index, seed, this.queue, store, this.#byId)
    );
    this.recorder = new Recorder(workload.timeout);
    this.clients = new Clients(this);
    this.relay = new Relay(this);
    this.service = new Service(this);
    this.prober = new Prober(this);
    this.faults = new FaultInjector(this);
    this.idleReports = scenario.idleReports ? new IdleReports(this) : undefined;
  }

  /** All backends that are configured at some time of the run. */
  get backends(): readonly BackendModel[] {
    return this.#backends;
  }

  /**
   * Whether backends can be added after the start of the run, with the same result as if the run had begun with them.
   * This is not possible with several balancers, because the numbers of their probes depend on the number of backends.
   * It is not possible with idle reports either, because every backend draws a balancer at the start.
   */
  get canAddBackends(): boolean {
    return this.balancers.length === 1 && this.idleReports === undefined;
  }

  /** Adds the backends of a scenario that this world does not have yet. They join by a later change. */
  addBackends(scenario: Scenario): BackendModel[] {
    const added: BackendModel[] = [];
    for (const [id, options] of serversById(scenario)) {
      if (this.#byId.has(id)) continue;
      const backend = new BackendModel(id, this.#backends.length, options, this);
      this.#backends.push(backend);
      this.#byId.set(id, backend);
      for (const { cuts } of this.balancers) cuts.push(0);
      this.prober.add(backend);
      added.push(backend);
    }
    return added;
  }

  /** Applies the settings of a change of the scenario. */
  change(index: number, now: Nanoseconds): void {
    const before = this.scenario;
    const { faults, end, warmup, changes, idleReports, hashPlacement, loadBalancers } = before;
    const kept = { faults, end, warmup, loadBalancers };
    this.scenario = {
      ...changes![index]!.to,
      ...kept,
      ...changes !== undefined && { changes },
      ...idleReports !== undefined && { idleReports },
      ...hashPlacement !== undefined && { hashPlacement },
    };
    const { balancer, servers, network, workload } = this.scenario;
    this.network.client.change(network.clientLatency);
    this.network.backend.change(network.backendLatency);
    balancer.backends.forEach(({ id }, i) =>
      this.backends.find((backend) => backend.id === id)!.change(servers[i]!, now)
    );
    this.recorder.patience = workload.timeout;
    this.clients.change(before, now);
    if (!isSame(before.balancer, balancer)) this.#changeBalancers(before.balancer, now);
  }

  #changeBalancers(before: Balancer, now: Nanoseconds): void {
    const { scenario, seed } = this;
    const options = placed(scenario, seed);
    for (const balancer of this.balancers) balancer.change(options, now);
    this.faults.configurationChanged(now);
    this.prober.change(before, now);
    this.idleReports?.configurationChanged(now);
    if (before.timeouts.idle !== scenario.balancer.timeouts.idle) {
      this.relay.idleTimeoutChanged(now);
    }
  }

  /** Frees a connection that is not used any more. */
  freeIfUnused(connection: Connection): void {
    const { flags, pending } = connection;
    if ((flags & (USED | IN_USE)) === IN_USE && pending === 0) this.connections.free(connection);
  }
}

/** All backends that are configured at some time of a run: first those of the start, then those that join. */
export function serversById(
  { balancer, servers, changes = [] }: Scenario,
): [string, ServerOptions][] {
  const all = new Map(balancer.backends.map(({ id }, i) => [id, servers[i]!]));
  for (const { to } of changes) {
    to.balancer.backends.forEach(({ id }, i) => {
      if (!all.has(id)) all.set(id, to.servers[i]!);
    });
  }
  return [...all];
}

/** Whether two settings are the same. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * The balancer's options. If a hash places clients differently in each replication, they include the
 * salt of this replication.
 */
export function placed({ balancer, hashPlacement }: Scenario, seed: number): Balancer {
  const { algorithm } = balancer;
  if (hashPlacement !== "redrawn" || !isHash(algorithm)) return balancer;
  return { ...balancer, algorithm: { ...algorithm, salt: childSeed(seed, "hash placement") } };
}
