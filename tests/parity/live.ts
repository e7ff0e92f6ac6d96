/** Plays a script on real sockets. */
import { connect, type Socket } from "node:net";
import { childSeed } from "../../lib/base/mod.ts";
import type { LbEvent } from "../../lib/core/mod.ts";
import { Balancer } from "../../lb/balancer.ts";
import { eventually, freePort } from "../support/sockets.ts";
import { type Decision, decisionOf, DECISIONS } from "./decisions.ts";
import { configOf, FAREWELL, HANDSHAKE, ns, type Script, type Step } from "./script.ts";
import { strictEventStream } from "../support/events.ts";

/** Clients come through proxies. The long timeout is for a busy machine. */
const PROXIES = "proxy_protocol: {accept_from: [127.0.0.0/8], timeout: 1h}\n";

/**
 * Plays a script. Returns the decisions after each step, and after each client that closed, by the
 * time.
 */
export async function playLive(script: Script): Promise<Map<number, Decision[]>> {
  await using stage = await Stage.open(script);
  await stage.play();
  // The copy leaves out decisions that are made while the stage is closed.
  return new Map(stage.decisions);
}

/** The client that came at this time closes its connection. */
interface Closes {
  readonly closes: number;
}

/** The client that came at this time gets its answer. */
interface Answers {
  readonly answers: number;
}

/** A client, and how long it stays after it has got a backend. */
interface Guest {
  readonly client: Client;
  readonly stays: number;
  /** The number of its connection; undefined if it was refused. */
  readonly connection: number | undefined;
}

class Stage {
  readonly decisions = new Map<number, Decision[]>();
  readonly #backends: ReadonlyMap<string, LiveBackend>;
  /** The steps that are still to come, in the order of time. */
  readonly #moments: { readonly at: number; readonly step: Step | Closes | Answers }[];
  /** The clients, by the times at which they came. */
  readonly #clients = new Map<number, Guest>();
  readonly #open = new Set<number>();
  /** Connections that have left the queue, and are being connected to a backend. */
  readonly #opening = new Set<number>();
  #balancer: Balancer | undefined;
  #now = 0;
  /** The events for which `#until` waits. */
  readonly #waiting: { fits: (event: LbEvent) => boolean; resolve: () => void }[] = [];
  /**
   * The number of connections that were opened, and of those on which a backend has received a
   * first byte.
   */
  #opened = 0;
  #asked = 0;
  #allAsked: (() => void) | undefined;

  readonly #latency: number;

  private constructor(
    backends: ReadonlyMap<string, LiveBackend>,
    { steps, latency = 0 }: Script,
  ) {
    this.#backends = backends;
    this.#latency = latency;
    for (const backend of backends.values()) backend.onAsked = () => this.#isAsked();
    this.#moments = steps.map((step) => ({
      at: "connect" in step ? rounded(step.at + HANDSHAKE * latency) : step.at,
      step,
    })).toSorted((a, b) => a.at - b.at);
  }

  static async open(script: Script): Promise<Stage> {
    const backends = new Map(script.ids.map((id) => [id, new LiveBackend()]));
    const stage = new Stage(backends, script);
    const ports = [...backends.values()].map(({ port }) => port);
    const config = configOf(script, ports, PROXIES);
    const events = strictEventStream();
    events.subscribe("test", [...DECISIONS], (event) => stage.#read(event));
    const balancer = await Balancer.start(config, {
      events,
      now: () => ns(stage.#now),
      // The first balancer of a simulated world has the same seed.
      seed: childSeed(script.seed, "balancer", 0),
    });
    stage.#balancer = balancer;
    return stage;
  }

  /** Plays all steps, in the order of time. */
  async play(): Promise<void> {
    for (let moment = this.#moments.shift(); moment; moment = this.#moments.shift()) {
      await this.#play(moment.at, moment.step);
      while (this.#opening.size > 0) await this.#until(isOpenedOrRefused);
      // A client sends its request at the time at which it is connected, as in the simulated world.
      if (this.#asked < this.#opened) {
        await new Promise<void>((resolve) => this.#allAsked = resolve);
      }
    }
  }

  #isAsked(): void {
    this.#asked++;
    if (this.#asked === this.#opened) this.#allAsked?.();
  }

  async #play(at: number, step: Step | Closes | Answers): Promise<void> {
    this.#now = at;
    const { scheduler } = this.#balancer!;
    if ("closes" in step) await this.#close(step.closes);
    else if ("answers" in step) await this.#answer(step.answers);
    else if ("connect" in step) await this.#connect(step);
    else if ("kill" in step) await this.#kill(step.kill);
    else if ("revive" in step) this.#backends.get(step.revive)!.revive();
    else if ("probe" in step) scheduler.probed(step.probe, step.ok, ns(at), 0);
    else scheduler.setMode(step.of, step.mode, ns(at));
  }

  async #connect({ at, connect, until }: Extract<Step, { connect: number }>): Promise<void> {
    let decision: LbEvent | undefined;
    const decided = this.#until((event) => {
      decision = event;
      return isOpenedOrRefused(event) || event.type === "connection_queued";
    });
    const client = new Client(this.#balancer!.address.port, connect);
    await decided;
    const refused = decision!.type === "connection_refused";
    const connection = refused ? undefined : (decision as { connection: number }).connection;
    this.#clients.set(at, { client, connection, stays: until - at });
    if (decision!.type !== "connection_queued") this.#closeLater(at);
  }

  #closeLater(came: number): void {
    const answered = this.#now + this.#clients.get(came)!.stays;
    if (this.#latency > 0) this.#later(answered, { answers: came });
    this.#later(answered + FAREWELL * this.#latency, { closes: came });
  }

  #later(time: number, step: Closes | Answers): void {
    const at = rounded(time);
    const later = this.#moments.findIndex((moment) => moment.at > at);
    const place = later < 0 ? this.#moments.length : later;
    this.#moments.splice(place, 0, { at, step });
  }

  async #answer(came: number): Promise<void> {
    const { client, connection } = this.#clients.get(came)!;
    if (connection !== undefined && this.#open.has(connection)) await client.ask();
  }

  async #close(came: number): Promise<void> {
    const { client, connection } = this.#clients.get(came)!;
    this.#clients.delete(came);
    if (connection === undefined || !this.#open.has(connection)) {
      await client.close();
      return;
    }
    const closed = this.#until(({ type }) => type === "connection_closed");
    await client.close();
    await closed;
  }

  /** Kills a backend, which ends its connections. */
  async #kill(id: string): Promise<void> {
    const backend = this.#backends.get(id)!;
    // Connections that the balancer has opened may still wait to be accepted.
    const open = this.#balancer!.scheduler.connectionCount.get(id)!;
    await eventually(() => backend.open === open, `${id} has accepted all ${open}`);
    // Closes one connection after the other: the order of use decides which session is evicted
    // later.
    await backend.kill(async (close) => {
      const closed = this.#until(({ type }) => type === "connection_closed");
      close();
      await closed;
    });
  }

  /**
   * Resolves at the next event that fits. If several calls wait for the same kind, each event
   * resolves one of them.
   */
  #until(fits: (event: LbEvent) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ fits, resolve });
    return promise;
  }

  #read(event: LbEvent): void {
    if (event.type === "connection_opened") {
      this.#open.add(event.connection);
      this.#opened++;
    }
    if (event.type === "connection_dequeued") {
      const [came] = this.#clients.entries()
        .find(([, { connection }]) => connection === event.connection)!;
      this.#opening.add(event.connection);
      this.#closeLater(came);
    }
    if (isOpenedOrRefused(event)) this.#opening.delete(event.connection);
    if (event.type === "connection_closed") this.#open.delete(event.connection);
    this.decisions.set(this.#now, [
      ...this.decisions.get(this.#now) ?? [],
      decisionOf(withClient(event)),
    ]);
    const i = this.#waiting.findIndex(({ fits }) => fits(event));
    if (i >= 0) this.#waiting.splice(i, 1)[0]!.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // This refuses clients that still wait.
    const stopped = this.#balancer?.stop(AbortSignal.abort());
    await Promise.all(this.#clients.values().map(({ client }) => client.close()));
    await stopped;
    await Promise.all(this.#backends.values().map((backend) => backend.kill()));
  }
}

/** Rounds to whole microseconds, so that times can be compared. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function isOpenedOrRefused(
  event: LbEvent,
): event is Extract<LbEvent, { type: "connection_opened" | "connection_refused" }> {
  return event.type === "connection_opened" || event.type === "connection_refused";
}

/**
 * If a connection is refused before its PROXY header is read, the event has the address of the proxy: 127.0.0.1 instead
 * of 10.0.0.1.
 */
function withClient(event: LbEvent): LbEvent {
  if (event.type !== "connection_refused") return event;
  return { ...event, client: event.client.replace(/^127\./, "10.") };
}

/**
 * A client behind a proxy of its own. Simulated clients have addresses of the network 10, which loopback does not have,
 * so the proxy states the address of its client. The client closes when its peer does.
 */
class Client {
  readonly #ended: Promise<void>;
  readonly #socket: Socket;

  /** @param number The last number of its address, and of its proxy's address. */
  constructor(port: number, number: number) {
    this.#socket = connect({ host: "127.0.0.1", port, localAddress: `127.0.0.${number}` });
    // A reset needs no other treatment than a normal end.
    this.#socket.on("error", () => {});
    this.#socket.resume();
    this.#socket.write(`PROXY TCP4 10.0.0.${number} 10.0.0.254 1024 80\r\n?`);
    this.#ended = new Promise((resolve) => this.#socket.on("close", () => resolve()));
  }

  /** Asks the backend to answer, and waits for the answer, or for the end of the connection. */
  async ask(): Promise<void> {
    const answered = new Promise<void>((resolve) => this.#socket.once("data", () => resolve()));
    this.#socket.write(ANSWER_NOW);
    await Promise.race([answered, this.#ended]);
  }

  async close(): Promise<void> {
    this.#socket.end();
    await this.#ended;
  }
}

/** The text that a client sends when its answer is due. */
const ANSWER_NOW = "!";

/** A backend. It answers when its client asks for the answer or closes; then it closes, too. */
class LiveBackend {
  readonly port: number;
  #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  #serving: Promise<void>;
  #reading: Promise<void>[] = [];
  /** Called when a client has sent its first byte. */
  onAsked: (() => void) | undefined;

  constructor() {
    this.port = freePort();
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#serving = this.#serve();
  }

  /** How many connections are open. */
  get open(): number {
    return this.#open.size;
  }

  revive(): void {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#serving = this.#serve();
  }

  /** @param each Closes a connection, and waits for the consequences. */
  async kill(each = (close: () => void): Promise<void> | void => close()): Promise<void> {
    try {
      this.#listener.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // The backend was killed before.
    }
    await this.#serving;
    for (const conn of this.#open) await each(() => conn.close());
    await Promise.all(this.#reading);
    this.#reading = [];
  }

  async #serve(): Promise<void> {
    try {
      for await (const conn of this.#listener) {
        this.#open.add(conn);
        this.#reading.push(this.#read(conn));
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  async #read(conn: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64);
    try {
      let first = true;
      for (let size = await conn.read(buffer); size !== null; size = await conn.read(buffer)) {
        if (first) this.onAsked?.();
        first = false;
        const isDue = buffer.subarray(0, size).includes(ANSWER_NOW.charCodeAt(0));
        if (isDue) await conn.write(buffer.subarray(0, 1));
      }
      // The client gets its answer at the time at which it closes, as in the simulated world.
      await conn.write(buffer.subarray(0, 1));
      this.#open.delete(conn);
      conn.close();
    } catch {
      this.#open.delete(conn); // The backend was killed.
    }
  }
}
