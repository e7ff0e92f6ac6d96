/** Plays a script on real sockets. */
import { connect, type Socket } from "node:net";
import { childSeed } from "../../lib/base/mod.ts";
import type { LbEvent } from "../../lib/core/mod.ts";
import { Balancer } from "../../lb/balancer.ts";
import { eventually, freePort } from "../support/sockets.ts";
import { type Decision, decisionOf, DECISIONS } from "./decisions.ts";
import { configOf, FAREWELL, HANDSHAKE, ns, type Script, type Step } from "./script.ts";
import { strictEventStream } from "../support/events.ts";

/** Clients come through proxies, and a busy machine may take its time. */
const PROXIES = "proxy_protocol: {accept_from: [127.0.0.0/8], timeout: 1h}\n";

/** The decisions after each step, and after each client that closed, by the moment. */
export async function playLive(script: Script): Promise<Map<number, Decision[]>> {
  await using stage = await Stage.open(script);
  await stage.play();
  // What is decided while the stage is cleared is not part of the play.
  return new Map(stage.decisions);
}

/** The client leaves that came at this moment. */
interface Closes {
  readonly closes: number;
}

/** The client is answered that came at this moment. */
interface Answers {
  readonly answers: number;
}

/** A client, and how long it stays once it is with a backend. */
interface Guest {
  readonly client: Client;
  readonly stays: number;
  /** Undefined if it was turned away. */
  readonly connection: number | undefined;
}

class Stage {
  readonly decisions = new Map<number, Decision[]>();
  readonly #backends: ReadonlyMap<string, LiveBackend>;
  /** What is to happen, the next first. */
  readonly #moments: { readonly at: number; readonly step: Step | Closes | Answers }[];
  /** By the moment they came. */
  readonly #clients = new Map<number, Guest>();
  readonly #open = new Set<number>();
  /** Those who have waited, and are being connected now. */
  readonly #opening = new Set<number>();
  #balancer: Balancer | undefined;
  #now = 0;
  /** What the clients of connections that are under way are to learn. */
  readonly #waiting: { fits: (event: LbEvent) => boolean; resolve: () => void }[] = [];
  /** Connections that were opened, and those on which a backend has been asked something. */
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
      // The first balancer of a simulated world has this one.
      seed: childSeed(script.seed, "balancer", 0),
    });
    stage.#balancer = balancer;
    return stage;
  }

  /** Lets happen whatever there is to happen. */
  async play(): Promise<void> {
    for (let moment = this.#moments.shift(); moment; moment = this.#moments.shift()) {
      await this.#play(moment.at, moment.step);
      while (this.#opening.size > 0) await this.#until(isOpenedOrRefused);
      // A client asks at the moment at which it is connected, as in the simulated world.
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

  /** Its connections end with it. Clients that were refused before have left by then. */
  async #kill(id: string): Promise<void> {
    const backend = this.#backends.get(id)!;
    // What the balancer has connected may still wait to be accepted.
    const open = this.#balancer!.scheduler.connectionCount.get(id)!;
    await eventually(() => backend.open === open, `${id} has accepted all ${open}`);
    // One after the other: which session was used last decides which goes when there is no room.
    await backend.kill(async (close) => {
      const closed = this.#until(({ type }) => type === "connection_closed");
      close();
      await closed;
    });
  }

  /** The next event of a kind. Whoever waits for as many gets one each. */
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
    // Those who still wait are turned away by that.
    const stopped = this.#balancer?.stop(AbortSignal.abort());
    await Promise.all(this.#clients.values().map(({ client }) => client.close()));
    await stopped;
    await Promise.all(this.#backends.values().map((backend) => backend.kill()));
  }
}

/** To whole microseconds, as moments are compared. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function isOpenedOrRefused(
  event: LbEvent,
): event is Extract<LbEvent, { type: "connection_opened" | "connection_refused" }> {
  return event.type === "connection_opened" || event.type === "connection_refused";
}

/** A connection that is refused before its PROXY header is read is that of the proxy, 127.0.0.1 for 10.0.0.1. */
function withClient(event: LbEvent): LbEvent {
  if (event.type !== "connection_refused") return event;
  return { ...event, client: event.client.replace(/^127\./, "10.") };
}

/**
 * A client behind a proxy of its own. In the simulated world clients have addresses of the network 10, which
 * loopback does not have: the proxy names its client. It closes when its peer does.
 */
class Client {
  readonly #ended: Promise<void>;
  readonly #socket: Socket;

  /** @param number Is the end of its address, and of its proxy's. */
  constructor(port: number, number: number) {
    this.#socket = connect({ host: "127.0.0.1", port, localAddress: `127.0.0.${number}` });
    // A reset is an end like any other.
    this.#socket.on("error", () => {});
    this.#socket.resume();
    this.#socket.write(`PROXY TCP4 10.0.0.${number} 10.0.0.254 1024 80\r\n?`);
    this.#ended = new Promise((resolve) => this.#socket.on("close", () => resolve()));
  }

  /** Has the backend answer, and waits for that, or for the end. */
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

/** What a client sends when its answer is due. */
const ANSWER_NOW = "!";

/** Accepts, reads, and when its client says so or closes answers, and closes, too; until it is killed. */
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

  /** @param each Closes a connection, and waits for whatever follows from that. */
  async kill(each = (close: () => void): Promise<void> | void => close()): Promise<void> {
    try {
      this.#listener.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // Dead already.
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
      // The client has all it came for at the moment at which it closes, as in the simulated world.
      await conn.write(buffer.subarray(0, 1));
      this.#open.delete(conn);
      conn.close();
    } catch {
      this.#open.delete(conn); // Killed.
    }
  }
}
