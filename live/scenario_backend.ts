import { Entrance, entranceMode, isHalted, Service } from "../backend/mod.ts";
import {
  type Address,
  LineReader,
  type Nanoseconds,
  type Random,
  writeAll,
} from "../lib/base/mod.ts";
import { ActiveFaults, type FaultEffect, NO_EFFECT, type ServerFault } from "../lib/fault/mod.ts";
import { type Alarm, type Alarms, closeIfOpen } from "../lib/io/mod.ts";
import type { BackendFault, ServerOptions } from "../lib/scenario/types.ts";
import { answerLine, type JobLine, parseJobLine } from "./job.ts";

/** What the backends of a run have in common. */
export interface BackendContext {
  readonly alarms: Alarms;
  /** The number of balancers. Each has an address of its own at every backend, so that its link can be cut. */
  readonly balancers: number;
  /** What an `expect` probe wants to hear. */
  readonly expected: string;
  /** Draws which probes fail. */
  readonly random: Random;
  /** Draws the one-way latency between balancer and backend. */
  readonly latency: () => Nanoseconds;
  /** A backend has got this attempt at a request. */
  readonly onJob: (id: string, backend: number) => void;
  /** A backend cannot listen any more. */
  readonly onFailed: (error: unknown) => void;
}

const LOOPBACK: Address = { host: "127.0.0.1", port: 0 };
const LINE_BYTES_MAX = 8 * 1024;
/** Messages that pass before the first request of a connection: the connect, its reply, the request. */
const HANDSHAKE = 3;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

type Socket = Deno.TcpConn | Deno.TlsConn;

/** The network between one balancer and the backend. */
interface Link {
  readonly entrance: Entrance;
  /** How many partitions cut it at present. */
  cuts: number;
  isCut: boolean;
  /** Resolves when messages pass. */
  passing: PromiseWithResolvers<void>;
}

/** A connection of a balancer. */
interface Visit {
  readonly socket: Socket;
  readonly link: Link;
  /** Whether a place is reserved for its first request. */
  reserved: boolean;
  /** Whether its other end has closed. */
  isAbandoned: boolean;
  /** Drops its request while that is at the service. */
  abandon: (() => void) | undefined;
  over: Promise<void>;
}

/**
 * A backend of a scenario on real sockets: it serves the job that each request carries, as the simulator's
 * backend does, and its faults act on its sockets.
 */
export class ScenarioBackend {
  readonly id: string;
  readonly index: number;
  /** Its slots and its queue. */
  readonly server: Service;
  /** Counts of the measured time. */
  reached = 0;
  done = 0;
  failed = 0;
  readonly #context: BackendContext;
  readonly #dropsAbandoned: boolean;
  readonly #alarm: Alarm;
  readonly #faultAlarm: Alarm;
  readonly #faults = new ActiveFaults();
  readonly #links: readonly Link[];
  readonly #visits = new Set<Visit>();
  /** Each ends the wait for work that is lost. */
  readonly #losses = new Set<() => void>();
  #effect: FaultEffect = NO_EFFECT;
  #closed = false;
  #inFlight = 0;
  #inFlightTime = 0;
  #since: Nanoseconds = 0;

  /** @throws {UserError} if it cannot listen. */
  constructor(id: string, index: number, options: ServerOptions, context: BackendContext) {
    const { alarms } = context;
    this.id = id;
    this.index = index;
    this.#context = context;
    this.server = new Service(options);
    this.#dropsAbandoned = options.abandoned === "drop";
    this.#alarm = alarms.alarm(() => this.server.passTime(alarms.now()));
    this.#faultAlarm = alarms.alarm(() => this.#assess());
    this.server.onChange = () => {
      this.#alarm.set(this.server.nextEnd);
      this.#setEntrances();
    };
    this.#links = Array.from({ length: context.balancers }, () => this.#link());
  }

  /** Where each balancer reaches it. */
  get addresses(): readonly Address[] {
    return this.#links.map(({ entrance }) => entrance.address);
  }

  /** A fault of its process or machine begins. */
  begin(fault: ServerFault, duration: Nanoseconds): void {
    this.#faults.begin(fault, this.#context.alarms.now(), duration);
    this.#assess();
  }

  /** A partition begins, or ends. */
  cut({ kind }: BackendFault, change: 1 | -1): void {
    const only = kind.name === "partition" ? kind.loadBalancer : undefined;
    this.#links.forEach((link, balancer) => {
      if (only === undefined || only === balancer) link.cuts += change;
    });
    this.#setEntrances();
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#alarm.set(undefined);
    this.#faultAlarm.set(undefined);
    this.#dropConnections();
    for (const { passing } of this.#links) passing.resolve();
    await Promise.all(this.#links.map(({ entrance }) => entrance.setMode("closed")));
    await Promise.all([...this.#visits].map(({ over }) => over));
  }

  /** The number of connections in flight, as the balancers count them, changes. */
  count(change: 1 | -1): void {
    const now = this.#context.alarms.now();
    this.#inFlightTime += (now - this.#since) * this.#inFlight;
    this.#since = now;
    this.#inFlight += change;
  }

  /** Connections in flight, integrated over time. */
  inFlightTime(now: Nanoseconds): number {
    return this.#inFlightTime + (now - this.#since) * this.#inFlight;
  }

  #link(): Link {
    const entrance = new Entrance(
      LOOPBACK,
      undefined,
      (socket) => this.#take(socket, link),
      (error) => this.#context.onFailed(error),
    );
    const link: Link = { entrance, cuts: 0, isCut: false, passing: passed() };
    return link;
  }

  #assess(): void {
    const now = this.#context.alarms.now();
    this.#faults.passTime(now);
    const next = this.#faults.nextChange(now);
    this.#faultAlarm.set(next === Infinity ? undefined : next);
    const before = this.#effect;
    this.#effect = this.#faults.effect(now);
    const works = !this.#effect.down && !isHalted(this.#effect);
    this.server.setSpeed(works ? 1 / this.#effect.slowness : 0, now);
    this.#setEntrances();
    if (this.#effect.down && !before.down) {
      this.server.clear(now);
      this.#dropConnections();
    }
  }

  /** A full queue refuses connects, as a backend that is down does. */
  #setEntrances(): void {
    if (this.#closed || this.#links === undefined) return;
    for (const link of this.#links) {
      const isCut = link.cuts > 0 || this.#effect.silent;
      const mode = entranceMode({ ...this.#effect, silent: isCut });
      const isFull = mode === "open" && !this.server.hasRoom && !this.#effect.paused;
      void link.entrance.setMode(isFull ? "closed" : mode);
      if (!isCut) link.passing.resolve();
      else if (!link.isCut) link.passing = Promise.withResolvers();
      link.isCut = isCut;
    }
  }

  /** Work that is under way is lost. */
  #dropConnections(): void {
    for (const lose of this.#losses) lose();
    this.#losses.clear();
    for (const { socket } of this.#visits) closeIfOpen(socket);
  }

  #take(socket: Socket, link: Link): void {
    const visit: Visit = {
      socket,
      link,
      reserved: true,
      isAbandoned: false,
      abandon: undefined,
      over: Promise.resolve(),
    };
    this.#reserve(visit, 1);
    this.#visits.add(visit);
    visit.over = this.#serve(visit).catch(() => {}).then(() => {
      if (visit.reserved) this.#reserve(visit, -1);
      this.#visits.delete(visit);
      closeIfOpen(socket);
    });
  }

  #reserve(visit: Visit, change: 1 | -1): void {
    visit.reserved = change === 1;
    this.server.reserved += change;
    this.#setEntrances();
  }

  async #serve(visit: Visit): Promise<void> {
    const { socket, link } = visit;
    if ("setNoDelay" in socket) socket.setNoDelay();
    const reader = new LineReader(socket, LINE_BYTES_MAX);
    let messages = HANDSHAKE;
    let next = this.#next(reader, visit);
    for (let line = await next; line !== null; line = await next) {
      const text = decoder.decode(line);
      // It reads while it works, so that it notices the end.
      next = this.#next(reader, visit);
      const job = parseJobLine(text);
      await this.#travel(messages);
      messages = 1;
      await link.passing.promise;
      if (visit.reserved) this.#reserve(visit, -1);
      const answer = job === undefined
        ? await this.#probe(text, visit)
        : await this.#request(job, visit);
      await link.passing.promise;
      await this.#travel(1);
      if (answer === undefined) return;
      await writeAll(socket, encoder.encode(answer));
      if (job === undefined) return;
    }
  }

  /** The next line; null at the end. Does not reject. */
  async #next(reader: LineReader, visit: Visit): Promise<Uint8Array | null> {
    const line = await reader.next().catch(() => null);
    if (line === null) {
      visit.isAbandoned = true;
      if (this.#dropsAbandoned) visit.abandon?.();
    }
    return line;
  }

  /** Serves a request, and returns the line of the answer. */
  async #request({ id, work, fastDraw, failDraw }: JobLine, visit: Visit): Promise<string> {
    this.#context.onJob(id, this.index);
    const error = `${answerLine({ backend: this.id })}\n`;
    if (fastDraw < this.#effect.fastErrorRate || !this.server.hasRoom) return error;
    const waited = await this.#work(work, visit);
    if (failDraw < this.#effect.failRate) return error;
    return `${answerLine({ backend: this.id, waited })}\n`;
  }

  /** A probe waits for its turn as a request does, unless the backend hides what is wrong with it. */
  async #probe(text: string, visit: Visit): Promise<string | undefined> {
    const { expected } = this.#context;
    const answer = text.startsWith("GET ") ? OK : `${expected}\n`;
    if (this.#effect.gray) return answer;
    if (this.#happens(this.#effect.fastErrorRate) || !this.server.hasRoom) return undefined;
    await this.#work(0, visit);
    return this.#happens(this.#effect.probeFailRate) ? undefined : answer;
  }

  #happens(share: number): boolean {
    return share > 0 && this.#context.random.next() < share;
  }

  /**
   * Resolves when so much work is done, to how long it waited.
   *
   * @throws {Error} if a crash loses it, or its client has given up and it is dropped.
   */
  #work(work: Nanoseconds, visit: Visit): Promise<Nanoseconds> {
    const { alarms } = this.#context;
    return new Promise((resolve, reject) => {
      const lose = () => reject(new Error("the work is lost"));
      if (visit.isAbandoned && this.#dropsAbandoned) return lose();
      this.#losses.add(lose);
      const job = this.server.submit(work, alarms.now(), ({ waited }) => {
        visit.abandon = undefined;
        this.#losses.delete(lose);
        resolve(waited);
      });
      visit.abandon = () => {
        this.#losses.delete(lose);
        this.server.cancel(job, alarms.now());
        lose();
      };
    });
  }

  async #travel(messages: number): Promise<void> {
    const { alarms, latency } = this.#context;
    let delay = 0;
    for (let i = 0; i < messages; i++) delay += latency();
    if (delay > 0) await alarms.until(alarms.now() + delay);
  }
}

function passed(): PromiseWithResolvers<void> {
  const passing = Promise.withResolvers<void>();
  passing.resolve();
  return passing;
}
