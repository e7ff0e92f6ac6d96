import {
  BackendFaults,
  Entrance,
  entranceMode,
  type FaultyBackend,
  JobServer,
} from "../backend/mod.ts";
import type { Address, Nanoseconds, Random } from "../lib/base/mod.ts";
import { type FaultEffect, NO_EFFECT } from "../lib/fault/mod.ts";
import type { Alarms } from "../lib/io/mod.ts";
import type { BackendFault, ServerOptions } from "../lib/scenario/types.ts";
import { InFlight } from "./live_system.ts";

/** The parts that all backends of a run share. */
export interface BackendContext {
  readonly alarms: Alarms;
  /** The number of balancers. Each has an address of its own at every backend, so that its link can be cut. */
  readonly balancers: number;
  /** The text that an `expect` probe expects. */
  readonly expected: string;
  /** Draws which probes fail. */
  readonly random: Random;
  /** Draws the one-way latency between balancer and backend. */
  readonly latency: () => Nanoseconds;
  /** Called when a backend has got this attempt at a request. */
  readonly onJob: (id: string, backend: number) => void;
  /** Called when a backend cannot listen any more. */
  readonly onFailed: (error: unknown) => void;
}

const LOOPBACK: Address = { host: "127.0.0.1", port: 0 };
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/** The network between one balancer and the backend. */
interface Link {
  readonly entrance: Entrance;
  /** The number of present partitions that cut it. */
  cuts: number;
  isCut: boolean;
  /** Resolves when messages pass. */
  passing: PromiseWithResolvers<void>;
}

/**
 * A backend of a scenario on real sockets: it serves the job that each request carries, as the simulator's
 * backend does, and its faults act on its sockets.
 */
export class ScenarioBackend implements FaultyBackend {
  readonly id: string;
  readonly index: number;
  /** Counts of the measured time. */
  reached = 0;
  done = 0;
  failed = 0;
  /** The faults of its process and machine. */
  readonly faults: BackendFaults;
  /** Its connections, as the balancers count them. */
  readonly flights: InFlight;
  readonly #context: BackendContext;
  readonly #jobs: JobServer;
  readonly #links: readonly Link[];
  #effect: FaultEffect = NO_EFFECT;
  #closed = false;

  /** @throws {UserError} if it cannot listen. */
  constructor(id: string, index: number, options: ServerOptions, context: BackendContext) {
    const { alarms, expected, random, latency, onJob } = context;
    this.id = id;
    this.index = index;
    this.flights = new InFlight(alarms.now);
    this.#context = context;
    this.#jobs = new JobServer(id, options, {
      ...{ alarms, random, latency },
      answerTo: (line) => line.startsWith("GET ") ? OK : `${expected}\n`,
      onJob: (job) => onJob(job, index),
      onRoom: () => void this.#setEntrances(),
    });
    this.faults = new BackendFaults(this, {
      now: alarms.now,
      timers: (ring) => alarms.alarm(ring),
    });
    this.#links = Array.from({ length: context.balancers }, () => this.#link());
  }

  /** Its slots and its queue. */
  get server() {
    return this.#jobs.service;
  }

  /** The address at which each balancer reaches it. */
  get addresses(): readonly Address[] {
    return this.#links.map(({ entrance }) => entrance.address);
  }

  /** Applies the effect of `faults`: to messages at once, and to listeners when they have opened or closed. */
  async applyFaults(effect: FaultEffect): Promise<void> {
    this.#effect = effect;
    const entering = this.#setEntrances();
    this.#jobs.applyFaults(effect);
    await entering;
  }

  /** A partition begins, or ends. */
  cut({ kind }: BackendFault, change: 1 | -1): void {
    const only = kind.name === "partition" ? kind.loadBalancer : undefined;
    this.#links.forEach((link, balancer) => {
      if (only === undefined || only === balancer) link.cuts += change;
    });
    void this.#setEntrances();
  }

  /** Applies other settings to its server. */
  change(options: ServerOptions): void {
    this.#jobs.change(options);
  }

  /** Closes all listeners and connections. */
  async close(): Promise<void> {
    this.#closed = true;
    const over = this.#jobs.close();
    void this.faults.end();
    for (const { passing } of this.#links) passing.resolve();
    await Promise.all(this.#links.map(({ entrance }) => entrance.setMode("closed")));
    await over;
  }

  inFlightTime(now: Nanoseconds): number {
    return this.flights.time(now);
  }

  #link(): Link {
    const entrance = new Entrance(
      LOOPBACK,
      undefined,
      (socket) => this.#jobs.take(socket, () => link.passing.promise),
      (error) => this.#context.onFailed(error),
    );
    const link: Link = { entrance, cuts: 0, isCut: false, passing: passed() };
    return link;
  }

  /**
   * Opens or closes the listeners: a full queue refuses connects, as a backend that is down does. Resolves when this
   * is done.
   */
  async #setEntrances(): Promise<void> {
    if (this.#closed || this.#links === undefined) return;
    const entering: Promise<void>[] = [];
    for (const link of this.#links) {
      const isCut = link.cuts > 0 || this.#effect.silent;
      const mode = entranceMode({ ...this.#effect, silent: isCut });
      entering.push(
        link.entrance.setMode(mode === "open" && this.#jobs.isFull ? "closed" : mode),
      );
      if (!isCut) link.passing.resolve();
      else if (!link.isCut) link.passing = Promise.withResolvers();
      link.isCut = isCut;
    }
    await Promise.all(entering);
  }
}

function passed(): PromiseWithResolvers<void> {
  const passing = Promise.withResolvers<void>();
  passing.resolve();
  return passing;
}
