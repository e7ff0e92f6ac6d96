/** Plays a script on real sockets. */
import { connect, type Socket } from "node:net";
import { childSeed, EventStream, type LbEvent } from "../../lib/core/mod.ts";
import { Balancer } from "../../lb/balancer.ts";
import {
  configOf,
  type Decision,
  decisionOf,
  DECISIONS,
  ns,
  type Script,
  type Step,
} from "./script.ts";

/** The decisions after each step, and after each client that closed, by the moment. */
export async function playLive(script: Script): Promise<Map<number, Decision[]>> {
  await using stage = await Stage.open(script);
  const moments = [
    ...script.steps.map((step) => ({ at: step.at, step })),
    ...script.steps.flatMap((step) =>
      "connect" in step ? [{ at: step.until, step: { closes: step.connect, opened: step.at } }] : []
    ),
  ].toSorted((a, b) => a.at - b.at);
  for (const { at, step } of moments) await stage.play(at, step);
  return stage.decisions;
}

/** A client leaves that came at `opened`. */
interface Closes {
  readonly closes: number;
  readonly opened: number;
}

class Stage {
  readonly decisions = new Map<number, Decision[]>();
  readonly #backends: ReadonlyMap<string, LiveBackend>;
  /** By the moment they came. Who was refused has no connection. */
  readonly #clients = new Map<number, { client: Client; connection: number | undefined }>();
  readonly #open = new Set<number>();
  #balancer: Balancer | undefined;
  #now = 0;
  /** What the clients of connections that are under way are to learn. */
  readonly #waiting: { fits: (event: LbEvent) => boolean; resolve: () => void }[] = [];

  private constructor(backends: ReadonlyMap<string, LiveBackend>) {
    this.#backends = backends;
  }

  static async open(script: Script): Promise<Stage> {
    const backends = new Map(script.ids.map((id) => [id, new LiveBackend()]));
    const stage = new Stage(backends);
    const config = configOf(script, [...backends.values()].map(({ port }) => port));
    const events = new EventStream();
    events.subscribe([...DECISIONS], (event) => stage.#read(event));
    const balancer = await Balancer.start(config, {
      events,
      now: () => ns(stage.#now),
      // The first balancer of a simulated world has this one.
      seed: childSeed(script.seed, "balancer", 0),
    });
    stage.#balancer = balancer;
    // On loopback a client's network is 127; in the simulated world it is 10.
    const { scheduler } = balancer;
    const acquire = scheduler.acquire.bind(scheduler);
    scheduler.acquire = (client, now) => acquire(client.replace(/^127\./, "10."), now);
    return stage;
  }

  async play(at: number, step: Step | Closes): Promise<void> {
    this.#now = at;
    const { scheduler } = this.#balancer!;
    if ("closes" in step) await this.#close(step.opened);
    else if ("connect" in step) await this.#connect(step.at, step.connect);
    else if ("kill" in step) await this.#kill(step.kill);
    else if ("revive" in step) this.#backends.get(step.revive)!.revive();
    else if ("probe" in step) scheduler.probed(step.probe, step.ok, ns(at), 0);
    else scheduler.setMode(step.of, step.mode, ns(at));
  }

  async #connect(at: number, number: number): Promise<void> {
    let connection: number | undefined;
    const decided = this.#until((event) => {
      if (event.type === "connection_opened") connection = event.connection;
      return event.type === "connection_opened" || event.type === "connection_refused";
    });
    const client = new Client(this.#balancer!.address.port, `127.0.0.${number}`);
    await decided;
    this.#clients.set(at, { client, connection });
  }

  async #close(opened: number): Promise<void> {
    const { client, connection } = this.#clients.get(opened)!;
    this.#clients.delete(opened);
    if (connection === undefined || !this.#open.has(connection)) {
      await client.close();
      return;
    }
    const closed = this.#until(({ type }) => type === "connection_closed");
    await client.close();
    await closed;
  }

  /** Its connections end with it; whoever was refused before has long gone. */
  async #kill(id: string): Promise<void> {
    const open = this.#balancer!.scheduler.connectionCount.get(id)!;
    const closed = Array.from(
      { length: open },
      () => this.#until(({ type }) => type === "connection_closed"),
    );
    await this.#backends.get(id)!.kill();
    await Promise.all(closed);
  }

  /** The next event of a kind. Whoever waits for as many gets one each. */
  #until(fits: (event: LbEvent) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ fits, resolve });
    return promise;
  }

  #read(event: LbEvent): void {
    if (event.type === "connection_opened") this.#open.add(event.connection);
    if (event.type === "connection_closed") this.#open.delete(event.connection);
    this.decisions.set(this.#now, [...this.decisions.get(this.#now) ?? [], decisionOf(event)]);
    const i = this.#waiting.findIndex(({ fits }) => fits(event));
    if (i >= 0) this.#waiting.splice(i, 1)[0]!.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.values().map(({ client }) => client.close()));
    await this.#balancer?.stop(AbortSignal.abort());
    await Promise.all(this.#backends.values().map((backend) => backend.kill()));
  }
}

/** A client on an address of its own. It closes when its peer does. */
class Client {
  readonly #ended: Promise<void>;
  readonly #socket: Socket;

  constructor(port: number, from: string) {
    this.#socket = connect({ host: "127.0.0.1", port, localAddress: from });
    // A reset is an end like any other.
    this.#socket.on("error", () => {});
    this.#socket.resume();
    this.#ended = new Promise((resolve) => this.#socket.on("close", () => resolve()));
  }

  async close(): Promise<void> {
    this.#socket.end();
    await this.#ended;
  }
}

/** Accepts, reads, and when its client closes answers and closes, too; until it is killed. */
class LiveBackend {
  readonly port: number;
  #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  #serving: Promise<void>;
  #reading: Promise<void>[] = [];

  constructor() {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#serving = this.#serve();
  }

  revive(): void {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#serving = this.#serve();
  }

  async kill(): Promise<void> {
    try {
      this.#listener.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // Dead already.
    }
    await this.#serving;
    for (const conn of this.#open) conn.close();
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
      while (await conn.read(buffer) !== null);
      // The client has all it came for at the moment at which it closes, as in the simulated world.
      await conn.write(buffer.subarray(0, 1));
      this.#open.delete(conn);
      conn.close();
    } catch {
      this.#open.delete(conn); // Killed.
    }
  }
}
