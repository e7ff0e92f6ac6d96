import { type Address, LineReader, type Nanoseconds, writeAll } from "../lib/base/mod.ts";
import { type Alarms, closeIfOpen, encodeProxyHeader } from "../lib/io/mod.ts";
import type { Scenario } from "../lib/scenario/types.ts";
import type { Outcome, Recorder } from "../sim/measure/mod.ts";
import {
  type AnswerLine,
  type Chances,
  type Demand,
  jobLine,
  parseAnswerLine,
} from "../lib/workload/mod.ts";

/** What the clients of a run need. */
export interface ClientsContext {
  readonly scenario: Scenario & { readonly warmup: Nanoseconds };
  readonly demand: Demand;
  readonly chances: Chances;
  readonly recorder: Recorder;
  readonly alarms: Alarms;
  /** Draws the one-way latency between a client and its balancer. */
  readonly latency: () => Nanoseconds;
  /** Where a balancer listens; undefined while it is stopped. */
  readonly balancer: (index: number) => Address | undefined;
  /** Whether a balancer has refused a client of this address since the last call that said so. */
  readonly wasRefused: (client: string) => boolean;
  /** How long a client of this address waited at the balancer for a backend that has room. */
  readonly queuedOf: (client: string) => Nanoseconds;
  /** An attempt has ended, well or with an error. */
  readonly onAttempt: (id: string, outcome: Outcome, measured: boolean) => void;
  /** Clients have stopped. */
  readonly onStop: () => void;
}

/** A request, and what is known of its client. */
interface Request {
  readonly client: string;
  /** The client of the closed loop that sends it; undefined for an arrival from outside. */
  readonly owner: number | undefined;
  readonly origin: number;
  nth: number;
  attempt: number;
  startedAt: Nanoseconds;
  requestsLeft: number;
}

/** The last end of a PROXY header: it names no real machine. */
const DESTINATION = { host: "10.255.255.254", port: 80 };
const SOURCE_PORT = 1024;
const LINE_BYTES_MAX = 1024;
/** Messages that pass before the first request of a connection reaches the balancer. */
const HANDSHAKE = 3;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The clients of a scenario on real sockets. They do what those of the simulator do, with the same demand: they
 * arrive, connect, send requests, wait, time out, retry, think and leave. A request is measured from the
 * moment at which its client wanted to send it.
 */
export class ScenarioClients {
  readonly #context: ClientsContext;
  readonly #lastConnection: number;
  readonly #begun: number[];
  readonly #living = new Set<Promise<void>>();
  readonly #open = new Set<Deno.TcpConn>();
  #arrived = 0;
  #stopped = false;
  /** How late arrivals were, in all and at most. */
  lateness = { sum: 0, max: 0, count: 0 };

  constructor(context: ClientsContext) {
    const { scenario: { end }, demand } = context;
    this.#context = context;
    this.#lastConnection = "connections" in end ? end.connections : Infinity;
    this.#begun = Array.from({ length: demand.inLoop }, () => 0);
  }

  /** Clients begin to arrive. */
  start(): void {
    const { demand, alarms } = this.#context;
    this.#begun.forEach((_, owner) => this.#nextInLoop(owner, 0));
    const { arrivals } = demand;
    if (arrivals === undefined) return;
    let at = arrivals.next();
    const arrival = alarms.alarm(() => {
      if (this.#stopped) return;
      const due = at;
      at = arrivals.next();
      if (at !== Infinity) arrival.set(at);
      this.#late(due);
      const origin = this.#arrived++;
      const client = demand.population.address(demand.clientOf(origin));
      this.#begin({ client, owner: undefined, origin, nth: 0 }, due);
    });
    if (at !== Infinity) arrival.set(at);
  }

  /** From now on no client begins a connection or a request. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#context.onStop();
  }

  /** Ends every connection, and resolves when all clients have left. */
  async close(): Promise<void> {
    this.stop();
    for (const socket of this.#open) closeIfOpen(socket);
    await Promise.all(this.#living);
  }

  #late(due: Nanoseconds): void {
    const late = this.#context.alarms.now() - due;
    this.lateness.sum += late;
    this.lateness.count++;
    this.lateness.max = Math.max(this.lateness.max, late);
  }

  #nextInLoop(owner: number, now: Nanoseconds): void {
    const { alarms, demand } = this.#context;
    const at = now + demand.loopPause(owner);
    alarms.alarm(() => {
      if (this.#stopped) return;
      const client = demand.population.address(demand.population.indexOf(owner));
      this.#begin({ client, owner, origin: owner, nth: this.#begun[owner]! }, at);
    }).set(at);
  }

  /** A client begins a connection. */
  #begin(
    who: Pick<Request, "client" | "owner" | "origin" | "nth">,
    at: Nanoseconds,
  ): void {
    const { recorder, demand, scenario: { warmup } } = this.#context;
    const requestsLeft = demand.requestsFrom(who.origin, who.nth);
    const request = { ...who, requestsLeft, attempt: 1, startedAt: at };
    this.#offer(request, at);
    if (at >= warmup) {
      recorder.connections++;
      if (recorder.connections >= this.#lastConnection) this.stop();
    }
    const life = this.#live(request).finally(() => this.#living.delete(life));
    this.#living.add(life);
  }

  #offer(request: Request, at: Nanoseconds): void {
    const { recorder, scenario: { warmup } } = this.#context;
    request.nth++;
    if (request.owner !== undefined) this.#begun[request.owner] = request.nth;
    request.startedAt = at;
    request.attempt = 1;
    if (at >= warmup) recorder.requests.offered++;
  }

  /** Everything that a client does from its arrival until it leaves. */
  async #live(request: Request): Promise<void> {
    const { recorder, demand, alarms, scenario: { workload, warmup } } = this.#context;
    let connection: ClientConnection | undefined;
    while (true) {
      connection ??= new ClientConnection(this.#open);
      const { outcome, answer, at, id } = await this.#attempt(request, connection);
      const measured = request.startedAt >= warmup;
      const { origin, nth, attempt } = request;
      this.#context.onAttempt(id, outcome, measured);
      if (outcome === "done") {
        recorder.completions++;
        const queued = this.#context.queuedOf(request.client);
        if (measured) recorder.requestDone(at - request.startedAt, queued + answer!.waited!);
        request.requestsLeft--;
        if (request.requestsLeft === 0 || this.#stopped) break;
        await alarms.until(at + demand.thinkTime(origin, nth));
        if (this.#stopped) break;
        this.#offer(request, at + demand.thinkTime(origin, nth));
        if (!connection.open) connection = undefined;
        continue;
      }
      void this.#leave(connection, outcome === "timedOut");
      connection = undefined;
      if (attempt > workload.retries.max) {
        if (measured) recorder.requests[outcome]++;
        break;
      }
      if (measured) recorder.requests.retried++;
      await alarms.until(at + demand.backoff(origin, nth, attempt));
      request.attempt = attempt + 1;
    }
    if (connection !== undefined) void this.#leave(connection, false);
    if (request.owner !== undefined && !this.#stopped) {
      this.#nextInLoop(request.owner, alarms.now());
    }
  }

  /** The end of a connection reaches the balancer one message later. */
  async #leave(connection: ClientConnection, atOnce: boolean): Promise<void> {
    const { alarms, latency } = this.#context;
    const delay = atOnce ? 0 : latency();
    if (delay > 0) await alarms.until(alarms.now() + delay);
    connection.close();
  }

  async #attempt(request: Request, connection: ClientConnection): Promise<{
    readonly outcome: Outcome;
    readonly answer?: AnswerLine;
    readonly at: Nanoseconds;
    readonly id: string;
  }> {
    const { demand, chances, alarms, latency, recorder, scenario, wasRefused } = this.#context;
    const { origin, nth, attempt, client } = request;
    const id = `${origin}.${nth}.${attempt}`;
    const { timeout } = scenario.workload;
    const timer = timeout === Infinity ? undefined : alarms.alarm(() => connection.giveUp());
    timer?.set(alarms.now() + timeout);
    const isFirst = !connection.open;
    let delay = 0;
    for (let i = isFirst ? HANDSHAKE : 1; i > 0; i--) delay += latency();
    if (delay > 0) await alarms.until(alarms.now() + delay);
    const ended = (outcome: Outcome, answer?: AnswerLine) => {
      timer?.set(undefined);
      return { outcome, id, at: alarms.now(), ...answer && { answer } };
    };
    const fates = {
      fastDraw: chances.fastError(origin, nth, attempt),
      failDraw: chances.failure(origin, nth, attempt),
    };
    const line = jobLine({ id, work: demand.work(origin, nth), ...fates });
    let text = `${line}\n`;
    if (isFirst && !connection.gaveUp) {
      const index = chances.balancer(origin, nth, attempt, scenario.loadBalancers);
      const address = this.#context.balancer(index);
      if (address === undefined || !await connection.connect(address)) {
        if (connection.gaveUp) return ended("timedOut");
        if (alarms.now() >= scenario.warmup) recorder.clientRefused("balancer_down");
        await this.#back(latency());
        return ended("refused");
      }
      text = `${proxyLine(client)}${text}`;
    }
    const reply = await connection.ask(text);
    if (connection.gaveUp) return ended("timedOut");
    await this.#back(latency());
    if (connection.gaveUp) return ended("timedOut");
    const answer = reply === undefined ? undefined : parseAnswerLine(reply);
    if (answer?.waited !== undefined) return ended("done", answer);
    return ended(answer === undefined && wasRefused(client) ? "refused" : "failed", answer);
  }

  async #back(delay: Nanoseconds): Promise<void> {
    const { alarms } = this.#context;
    if (delay > 0) await alarms.until(alarms.now() + delay);
  }
}

/** The line with which a proxy names its client. */
function proxyLine(host: string): string {
  const source = { host, port: SOURCE_PORT };
  return decoder.decode(encodeProxyHeader("v1", { source, destination: DESTINATION }));
}

/** A client's connection to a balancer. It owns the socket. */
class ClientConnection {
  /** Whether its client has given up. */
  gaveUp = false;
  readonly #all: Set<Deno.TcpConn>;
  #socket: Deno.TcpConn | undefined;
  #reader: LineReader | undefined;

  /** @param all The sockets that are open. */
  constructor(all: Set<Deno.TcpConn>) {
    this.#all = all;
  }

  get open(): boolean {
    return this.#socket !== undefined;
  }

  /** Connects; false if that fails. */
  async connect({ host, port }: Address): Promise<boolean> {
    try {
      this.#socket = await Deno.connect({ hostname: host, port });
    } catch {
      return false;
    }
    this.#all.add(this.#socket);
    if (this.gaveUp) this.close();
    else this.#socket.setNoDelay();
    this.#reader = new LineReader(this.#socket, LINE_BYTES_MAX);
    return !this.gaveUp;
  }

  /** Sends text and waits for a line; undefined if the connection ends before it. */
  async ask(text: string): Promise<string | undefined> {
    if (this.#socket === undefined) return undefined;
    try {
      await writeAll(this.#socket, encoder.encode(text));
      const line = await this.#reader!.next();
      if (line !== null) return decoder.decode(line);
    } catch {
      // Reset, or closed by this side.
    }
    this.close();
    return undefined;
  }

  /** Its client gives up: whatever it waits for ends. */
  giveUp(): void {
    this.gaveUp = true;
    this.close();
  }

  close(): void {
    if (this.#socket === undefined) return;
    this.#all.delete(this.#socket);
    closeIfOpen(this.#socket);
    this.#socket = undefined;
  }
}
