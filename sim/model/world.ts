import { assert, childSeed, type Nanoseconds } from "../../lib/base/mod.ts";
import { isHash } from "../../lib/core/mod.ts";
import type { Balancer, Scenario } from "../../lib/scenario/types.ts";
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
import { createNetwork, type Network } from "./network.ts";
import { Prober } from "./prober.ts";
import { type Outcome, Recorder } from "../measure/mod.ts";
import { Relay } from "./relay.ts";
import { Service } from "./service.ts";
import { idealStoresOf } from "./ideal_store.ts";

/** Reads how requests end, those of the warm-up included. It changes nothing. */
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

/** The flags of a connection that is still used. */
const USED = AWAITED | ASSIGNED | RESERVED | AT_BACKEND | QUEUED;

/**
 * A simulated world: its state (queue, connections, backends, balancers) and the parts that act (clients,
 * relay, service, prober, faults). The parts reach each other through it.
 */
export class World {
  readonly scenario: Scenario;
  /** The seed of this replication. Every purpose has a child seed of it. */
  readonly seed: number;
  /** Requests that begin from this time on are measured. */
  readonly warmup: Nanoseconds;
  readonly queue = new EventQueue(BACKGROUND, ARRIVAL);
  readonly connections = new Connections();
  readonly network: Network;
  readonly backends: readonly BackendModel[];
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

  constructor(scenario: Scenario, seed: number, warmup: Nanoseconds) {
    const { balancer, servers, loadBalancers, workload, network } = scenario;
    assert(servers.length === balancer.backends.length, "every backend has its server options");
    this.scenario = scenario;
    this.seed = seed;
    this.warmup = warmup;
    this.network = createNetwork(network, seed);
    this.backends = balancer.backends.map(({ id }, index) =>
      new BackendModel(id, index, servers[index]!, this)
    );
    this.balancers = idealStoresOf(balancer, loadBalancers).map((store, index) =>
      new BalancerModel(placed(scenario, seed), index, seed, this.queue, store)
    );
    this.recorder = new Recorder(workload.timeout);
    this.clients = new Clients(this);
    this.relay = new Relay(this);
    this.service = new Service(this);
    this.prober = new Prober(this);
    this.faults = new FaultInjector(this);
    this.idleReports = scenario.idleReports ? new IdleReports(this) : undefined;
  }

  /** Frees a connection that is not used any more. */
  freeIfUnused(connection: Connection): void {
    const { flags, pending } = connection;
    if ((flags & (USED | IN_USE)) === IN_USE && pending === 0) this.connections.free(connection);
  }
}

/**
 * The balancer's options. If a hash places clients differently in each replication, they include the
 * salt of this replication.
 */
function placed({ balancer, hashPlacement }: Scenario, seed: number): Balancer {
  const { algorithm } = balancer;
  if (hashPlacement !== "redrawn" || !isHash(algorithm)) return balancer;
  return { ...balancer, algorithm: { ...algorithm, salt: childSeed(seed, "hash placement") } };
}
