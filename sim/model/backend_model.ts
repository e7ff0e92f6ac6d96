import type { Nanoseconds } from "../../lib/base/mod.ts";
import { effectOf, type ServerFault } from "../../lib/fault/mod.ts";
import type { ServerOptions } from "../../lib/scenario/types.ts";
import { FifoServer } from "./fifo_server.ts";
import type { Server, ServerContext } from "./server.ts";
import { SharedServer } from "./shared_server.ts";

/** How a backend reacts to a connect. */
export type ConnectVerdict = "accepted" | "refused" | "silent";

/** A simulated backend: a server and its present faults. */
export class BackendModel {
  readonly id: string;
  readonly index: number;
  readonly server: Server;
  /** Whether the backend drops a request when it learns that the client has left. */
  dropsAbandoned: boolean;
  /** Whether its process has crashed. */
  down = false;
  /** Whether its machine answers nothing. */
  silent = false;
  /** Whether its process is paused. */
  paused = false;
  /** Whether it has a gray failure: probes succeed at any load. */
  gray = false;
  /** Share of requests that are served and then end in an error. */
  failRate = 0;
  /** The share of `expect` and `http` probes that fail. */
  probeFailRate = 0;
  /** Share of requests and probes that get an error at once. */
  fastErrorRate = 0;
  /** The number of its connections in flight, over all balancers. */
  inFlight = 0;
  /**
   * Counts of the measured time: connections that reached it, requests that it has done, and requests that failed
   * there.
   */
  reached = 0;
  done = 0;
  failed = 0;
  #speed: number;
  readonly #faults: ServerFault[] = [];
  #inFlightTime = 0;
  #since: Nanoseconds = 0;

  constructor(id: string, index: number, options: ServerOptions, context: ServerContext) {
    this.id = id;
    this.index = index;
    this.#speed = options.speed;
    this.dropsAbandoned = options.abandoned === "drop";
    const Kind = options.discipline === "fifo" ? FifoServer : SharedServer;
    this.server = new Kind(index, options, context);
  }

  /** Changes its speed, slots and queue. Its discipline stays. */
  change(options: ServerOptions, now: Nanoseconds): void {
    this.dropsAbandoned = options.abandoned === "drop";
    this.server.change(options, now);
    this.#speed = options.speed;
    this.#assess(now);
  }

  /**
   * How it answers a connect now. A full queue refuses it, as a backend that is down does.
   */
  get verdict(): ConnectVerdict {
    if (this.silent) return "silent";
    return this.down || !this.server.hasRoom ? "refused" : "accepted";
  }

  /** Its present faults. */
  get faults(): readonly ServerFault[] {
    return this.#faults;
  }

  /** Whether it has a fault. */
  get faulty(): boolean {
    return this.#faults.length > 0;
  }

  /** A fault begins. A `flap` is a `crash` that begins and ends again and again. */
  begin(fault: ServerFault, now: Nanoseconds): void {
    this.#faults.push(fault);
    this.#assess(now);
  }

  /** Ends a fault. It must be the object with which the fault began. */
  end(fault: ServerFault, now: Nanoseconds): void {
    const place = this.#faults.indexOf(fault);
    if (place >= 0) this.#faults.splice(place, 1);
    this.#assess(now);
  }

  /** The number of connections in flight changes by one. */
  count(change: 1 | -1, now: Nanoseconds): void {
    this.#inFlightTime += (now - this.#since) * this.inFlight;
    this.#since = now;
    this.inFlight += change;
  }

  /** Connections in flight, integrated over time. */
  inFlightTime(now: Nanoseconds): number {
    return this.#inFlightTime + (now - this.#since) * this.inFlight;
  }

  #assess(now: Nanoseconds): void {
    const effect = effectOf(this.#faults);
    this.down = effect.down;
    this.silent = effect.silent;
    this.paused = effect.paused;
    this.gray = effect.gray;
    this.failRate = effect.failRate;
    this.probeFailRate = effect.probeFailRate;
    this.fastErrorRate = effect.fastErrorRate;
    const works = !this.down && !this.silent && !this.paused;
    this.server.setSpeed(works ? this.#speed / effect.slowness : 0, now);
  }
}
