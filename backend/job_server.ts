import { LineReader, type Nanoseconds, type Random, writeAll } from "../lib/base/mod.ts";
import { type FaultEffect, NO_EFFECT } from "../lib/fault/mod.ts";
import { type Alarm, type Alarms, closeIfOpen } from "../lib/io/mod.ts";
import { answerLine, type JobLine, parseJobLine } from "../lib/workload/mod.ts";
import { isHalted, type Socket } from "./entrance.ts";
import { Service, type ServiceOptions } from "./service.ts";

/** How a backend serves the requests of a scenario: the keys of `servers` there. */
export interface JobServerOptions extends ServiceOptions {
  /**
   * What happens to a request whose client has left. `serve`: it is served nevertheless. `drop`: the server stops
   * serving it when it notices.
   */
  readonly abandoned: "serve" | "drop";
}

/** Options of a job server. */
export interface JobServerContext {
  readonly alarms: Alarms;
  /** Draws which probes fail. */
  readonly random: Random;
  /** Returns the answer to a line that is not a job, but a probe. */
  readonly answerTo: (line: string) => string;
  /** Draws the one-way latency between balancer and backend; if left out, messages are not delayed. */
  readonly latency?: (() => Nanoseconds) | undefined;
  /** Called when the server has received this attempt of a request. */
  readonly onJob?: ((id: string) => void) | undefined;
  /** Called when its queue may have become full, or have a free place again. */
  readonly onRoom: () => void;
}

const LINE_BYTES_MAX = 8 * 1024;
/** The number of messages until the first request of a connection has arrived: the connect, its reply, the request. */
const HANDSHAKE = 3;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A connection of a balancer. */
interface Visit {
  readonly socket: Socket;
  /** Resolves when messages can pass between it and its balancer. */
  readonly passing: () => Promise<void>;
  /** Whether a place is reserved for its first request. */
  reserved: boolean;
  /** Whether the balancer has closed the connection. */
  isAbandoned: boolean;
  /** Drops the request that waits or is served; undefined if there is none. */
  abandon: (() => void) | undefined;
  over: Promise<void>;
}

/**
 * Serves the jobs that the requests of a scenario carry, as the simulator's backend does. It owns the sockets that it
 * is given, and no listener.
 */
export class JobServer {
  readonly id: string;
  /** Its slots and its queue. */
  readonly service: Service;
  readonly #context: JobServerContext;
  #dropsAbandoned: boolean;
  readonly #alarm: Alarm;
  readonly #visits = new Set<Visit>();
  /** Functions that end the waits for work that is lost. */
  readonly #losses = new Set<() => void>();
  #effect: FaultEffect = NO_EFFECT;
  #isClosed = false;

  constructor(id: string, options: JobServerOptions, context: JobServerContext) {
    const { alarms } = context;
    this.id = id;
    this.#context = context;
    this.service = new Service(options);
    this.#dropsAbandoned = options.abandoned === "drop";
    this.#alarm = alarms.alarm(() => this.service.passTime(alarms.now()));
    this.service.onChange = () => {
      // After `close` nothing waits for work, and no alarm must remain.
      this.#alarm.set(this.#isClosed ? undefined : this.service.nextEnd);
      context.onRoom();
    };
  }

  /** Whether connects are refused because the queue is full, which a paused process does not notice. */
  get isFull(): boolean {
    return !this.service.hasRoom && !this.#effect.paused;
  }

  /** Applies the effect of the present faults to the work. */
  applyFaults(effect: FaultEffect): void {
    const { alarms } = this.#context;
    const { down } = this.#effect;
    this.#effect = effect;
    const works = !effect.down && !isHalted(effect);
    this.service.setSpeed(works ? 1 / effect.slowness : 0, alarms.now());
    if (!effect.down || down) return;
    this.service.clear(alarms.now());
    this.dropConnections();
  }

  /** Changes its speed, slots and queue. The discipline stays. */
  change(options: JobServerOptions): void {
    this.#dropsAbandoned = options.abandoned === "drop";
    this.service.change(options, this.#context.alarms.now());
  }

  /** Takes a connection, and owns it from then on. */
  take(socket: Socket, passing: () => Promise<void> = () => Promise.resolve()): void {
    const visit: Visit = {
      socket,
      passing,
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

  /** Closes all connections. Work that is in progress is lost. */
  dropConnections(): void {
    for (const lose of this.#losses) lose();
    this.#losses.clear();
    for (const { socket } of this.#visits) closeIfOpen(socket);
  }

  /** Closes all connections, and waits until they have ended. The messages that they wait for must be able to pass. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#alarm.set(undefined);
    this.dropConnections();
    await Promise.all([...this.#visits].map(({ over }) => over));
  }

  #reserve(visit: Visit, change: 1 | -1): void {
    visit.reserved = change === 1;
    this.service.reserved += change;
    this.#context.onRoom();
  }

  async #serve(visit: Visit): Promise<void> {
    const { socket, passing } = visit;
    if ("setNoDelay" in socket) socket.setNoDelay();
    const reader = new LineReader(socket, LINE_BYTES_MAX);
    let messages = HANDSHAKE;
    let next = this.#next(reader, visit);
    for (let line = await next; line !== null; line = await next) {
      const text = decoder.decode(line);
      // The next read begins before the work, so that it notices when the balancer closes the connection.
      next = this.#next(reader, visit);
      const job = parseJobLine(text);
      await this.#travel(messages);
      messages = 1;
      await passing();
      if (visit.reserved) this.#reserve(visit, -1);
      const answer = job === undefined
        ? await this.#probe(text, visit)
        : await this.#request(job, visit);
      await passing();
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
    this.#context.onJob?.(id);
    const error = `${answerLine({ backend: this.id })}\n`;
    if (fastDraw < this.#effect.fastErrorRate || !this.service.hasRoom) return error;
    const waited = await this.#work(work, visit);
    if (failDraw < this.#effect.failRate) return error;
    return `${answerLine({ backend: this.id, waited })}\n`;
  }

  /** Answers a probe. The probe waits for a slot like a request, unless the backend has a gray failure. */
  async #probe(text: string, visit: Visit): Promise<string | undefined> {
    const answer = this.#context.answerTo(text);
    if (this.#effect.gray) return answer;
    if (this.#happens(this.#effect.fastErrorRate) || !this.service.hasRoom) return undefined;
    await this.#work(0, visit);
    return this.#happens(this.#effect.probeFailRate) ? undefined : answer;
  }

  #happens(share: number): boolean {
    return share > 0 && this.#context.random.next() < share;
  }

  /**
   * Does this much work. Returns the time for which it waited for a slot.
   *
   * @throws {Error} if the work is lost in a crash, or is dropped because the client has given up.
   */
  #work(work: Nanoseconds, visit: Visit): Promise<Nanoseconds> {
    const { alarms } = this.#context;
    return new Promise((resolve, reject) => {
      const lose = () => reject(new Error("the work is lost"));
      if (visit.isAbandoned && this.#dropsAbandoned) return lose();
      this.#losses.add(lose);
      const job = this.service.submit(work, alarms.now(), ({ waited }) => {
        visit.abandon = undefined;
        this.#losses.delete(lose);
        resolve(waited);
      });
      visit.abandon = () => {
        this.#losses.delete(lose);
        this.service.cancel(job, alarms.now());
        lose();
      };
    });
  }

  async #travel(messages: number): Promise<void> {
    const { alarms, latency } = this.#context;
    if (latency === undefined) return;
    let delay = 0;
    for (let i = 0; i < messages; i++) delay += latency();
    if (delay > 0) await alarms.until(alarms.now() + delay);
  }
}
