import { isDeepStrictEqual } from "node:util";
import {
  acceptAll,
  type Clock,
  closeIfOpen,
  type Connection,
  Deadline,
  encodeProxyHeader,
  listen,
  localShortage,
  LocalShortages,
  Notifier,
  timerDelay,
  untilAborted,
} from "../lib/io/mod.ts";
import {
  type Address,
  addressOf,
  assert,
  canonicalIp,
  childSeed,
  createRandom,
  isInAny,
  type Nanoseconds,
  parseIp,
  VERSION,
} from "../lib/base/mod.ts";
import {
  type Config,
  difference,
  NO_WISHES,
  problemWithWishes,
  wishedChanges,
  type Wishes,
  withWishes,
  writtenConfig,
} from "../lib/config/mod.ts";
import { certificateChanges, type Certificates } from "../lib/files/mod.ts";
import {
  type Backend,
  closeOnDown,
  type Connect,
  type Connection as ScheduledConnection,
  type EventStream,
  type LbEvent,
  type RefusalReason,
  type Refused,
  Scheduler,
  toMs,
  type Traffic,
} from "../lib/core/mod.ts";
import type { Monitor } from "../lib/observe/mod.ts";
import { type BackendTls, backendTlsOf, Dialer, DialFailure } from "./dial/mod.ts";
import {
  acceptTls,
  EarlyReader,
  type ProxyPreamble,
  readProxyPreamble,
  type ServerContext,
  serverContext,
} from "./accept/mod.ts";
import { Prober } from "./health/mod.ts";
import { type Preamble, Relays } from "./relay/mod.ts";
import { SessionKeeper, sessionStoreOf } from "./sessions/mod.ts";

/** The options of a balancer besides its configuration. */
export interface BalancerOptions {
  /** Receives the events. */
  readonly events: EventStream;
  readonly now: Clock;
  /** The seed of all random draws. */
  readonly seed: number;
  /** The contents of the files that the configuration names; absent if it names none. */
  readonly certificates?: Certificates | undefined;
  /** Observes the balancer from its start on. */
  readonly monitor?: Monitor | undefined;
  /** Every n-th pick is explained; no pick if left out. */
  readonly explainEvery?: number | undefined;
  /** Aborts the start. */
  readonly signal?: AbortSignal | undefined;
}

/** The result of a stop. */
export interface StopSummary {
  /** The number of connections that ended by themselves during the drain. */
  readonly finished: number;
  /** The number of connections that were still open when the drain timeout passed, and were closed. */
  readonly closed: number;
}

/** The parts of a balancer. */
interface Parts {
  readonly scheduler: Scheduler;
  readonly prober: Prober;
  readonly keeper: SessionKeeper | undefined;
  readonly context: ServerContext | undefined;
  readonly listener: Deno.TcpListener;
  readonly connectionEnded: Notifier;
  readonly shortages: LocalShortages;
}

/** The preamble of a client that connects directly, without a PROXY header. */
const NO_PREAMBLE: ProxyPreamble = { rest: new Uint8Array(0) };

/** A client whose PROXY header and TLS handshake are complete, if it has them. */
interface AcceptedClient {
  readonly client: Connection;
  readonly preamble: ProxyPreamble;
}

/**
 * The live balancer: accepts clients, asks the scheduler for a backend, connects to it, and relays.
 * `Scheduler` makes all decisions; this class handles the sockets.
 */
export class Balancer {
  /** Where it listens. If the port in the configuration is 0, this is the real port. */
  readonly address: Address;
  readonly scheduler: Scheduler;
  #config: Config;
  /** The file's configuration, without the operator's wishes. */
  #fileConfig: Config;
  #wishes = NO_WISHES;
  /** The configuration at the start: some settings change only with a restart. */
  readonly #started: Config;
  readonly #events: EventStream;
  readonly #now: Clock;
  readonly #listener: Deno.TcpListener;
  readonly #prober: Prober;
  /** Undefined if sessions are in memory only. */
  readonly #keeper: SessionKeeper | undefined;
  #dialer: Dialer;
  /** Dialers with earlier timeouts: their connects may still be in progress. */
  readonly #formerDialers: Dialer[] = [];
  readonly #relays: Relays<ScheduledConnection>;
  readonly #explainEvery: number | undefined;
  readonly #accepting: Promise<void>;
  /** Connections whose PROXY header or TLS handshake is awaited. */
  readonly #handshaking = new Set<Deno.TcpConn>();
  /** The timer that wakes the scheduler. */
  #waking: ReturnType<typeof setTimeout> | undefined;
  #stopping = false;
  readonly #shortages: LocalShortages;
  #certificates: Certificates;
  /** Undefined if clients connect without TLS. */
  #serverContext: ServerContext | undefined;
  /** Undefined if the balancer connects to backends without TLS. */
  #backendTls: BackendTls | undefined;
  readonly #unsubscribe: () => void;
  readonly #connectionEnded: Notifier;

  /**
   * Probes every backend once, then listens.
   *
   * @throws {UserError} if it cannot listen; the signal's reason if the signal aborts the start.
   */
  static async start(config: Config, options: BalancerOptions): Promise<Balancer> {
    const { events, now, seed, explainEvery, certificates = {}, signal } = options;
    signal?.throwIfAborted();
    if (events.wanted.run_started) events.emit(runStarted(config, seed, now()));
    // As in the simulator: the same seed gives the same random draws in both.
    const random = createRandom(childSeed(seed, "algorithm", 0));
    const scheduler = new Scheduler({ ...config, explainEvery }, events, random);
    options.monitor?.observe(scheduler, now());
    const context = serverContextOf(config, certificates);
    const tls = backendTlsOf(config, certificates);
    const connectionEnded = new Notifier();
    const shortages = new LocalShortages(events, now, connectionEnded, () => scheduler.connections);
    const prober = new Prober(config, scheduler, { now, seed, tls, shortages });
    const keeper = keeperOf(config, scheduler, options);
    const giveUp = () => void prober.stop();
    signal?.addEventListener("abort", giveUp, { once: true });
    await Promise.all([prober.start(), keeper?.start()]);
    signal?.removeEventListener("abort", giveUp);
    try {
      signal?.throwIfAborted();
      const listener = listen(config.listen);
      const parts = { scheduler, prober, keeper, context, listener, connectionEnded, shortages };
      return new Balancer(config, options, parts);
    } catch (error) {
      shortages.stop();
      await Promise.all([prober.stop(), keeper?.stop()]);
      throw error;
    }
  }

  private constructor(
    config: Config,
    options: BalancerOptions,
    { scheduler, prober, keeper, context, listener, connectionEnded, shortages }: Parts,
  ) {
    this.#config = config;
    this.#fileConfig = config;
    this.#started = config;
    this.#events = options.events;
    this.#now = options.now;
    this.scheduler = scheduler;
    this.#prober = prober;
    this.#keeper = keeper;
    this.#listener = listener;
    this.#connectionEnded = connectionEnded;
    this.#shortages = shortages;
    this.#dialer = new Dialer(config.timeouts.connect);
    this.#relays = new Relays({
      idleTimeout: config.timeouts.idle,
      asked: (scheduled) => scheduled.asked(this.#now()),
      answered: (scheduled) => scheduled.answered(this.#now()),
      finishedUnanswered: (scheduled) => scheduled.clientFinished(this.#now()),
      ended: (scheduled, result) => {
        scheduled.close(result.end, this.#now(), result);
        this.#ended();
      },
    });
    this.#explainEvery = options.explainEvery;
    this.#certificates = options.certificates ?? {};
    this.#serverContext = context;
    this.#backendTls = backendTlsOf(config, this.#certificates);
    this.address = addressOf(listener.addr);
    this.#unsubscribe = closeOnDown(
      options.events,
      () => scheduler,
      () => this.#config.onDown,
      (down) => this.#relays.closeAll("backend_down", (scheduled) => scheduled.backend === down),
    );
    scheduler.onWake = (at) => this.#wakeAt(at);
    if (scheduler.nextWake !== undefined) this.#wakeAt(scheduler.nextWake);
    this.#accepting = acceptAll(
      listener,
      (client) => void this.#serve(client),
      (error) => this.#acceptAgain(error),
      () => this.#relays.turn(),
    );
    this.#accepting.catch(() => {}); // `accepting` reports this error.
  }

  /** Resolves when it has stopped listening; rejects with a `UserError` if the listener has failed. */
  get accepting(): Promise<void> {
    return this.#accepting;
  }

  /** The running configuration: that of the file, with the operator's wishes. */
  get config(): Config {
    return this.#config;
  }

  /** The file's configuration, without the operator's wishes. */
  get fileConfig(): Config {
    return this.#fileConfig;
  }

  /** The operator's wishes, which override the file. */
  get wishes(): Wishes {
    return this.#wishes;
  }

  /** The bytes of the open connections, for each backend. */
  get openTraffic(): ReadonlyMap<Backend, Traffic> {
    return this.#relays.trafficBy(({ backend }) => backend);
  }

  /** The number of its sockets: the listening one, and those of clients and backends. */
  get openSockets(): number {
    const { connections, waiting } = this.scheduler;
    return 1 + this.#handshaking.size + waiting + connections + this.#relays.running;
  }

  /** The certificates in use. */
  get certificates(): Certificates {
    return this.#certificates;
  }

  /** How the operator's wishes differ from the file, one line each. */
  get wishedChanges(): readonly string[] {
    return wishedChanges(this.#fileConfig, this.#wishes);
  }

  /** Why these wishes cannot be applied, in words; undefined if they can. */
  problemWith(wishes: Wishes): string | undefined {
    return problemWithWishes(this.#fileConfig, wishes);
  }

  /** Whether it is stopping: it accepts no more clients. */
  get isStopping(): boolean {
    return this.#stopping;
  }

  /**
   * Applies the operator's wishes, which override the file until other wishes replace them.
   */
  async wish(wishes: Wishes): Promise<void> {
    const before = this.#config;
    const probed = this.#use(this.#fileConfig, wishes, this.#certificates);
    this.#events.emit({
      type: "wishes_changed",
      at_ms: toMs(this.#now()),
      changes: difference(before, this.#config).changes,
      wishes: wishedChanges(this.#fileConfig, wishes),
    });
    await probed;
  }

  /**
   * Applies another configuration while the balancer runs; the operator's wishes still override it. No
   * connection is dropped, and unchanged backends keep their counts, health and sessions. The listen address,
   * the log settings and the session store change only with a restart. Resolves when new backends have been
   * probed once, or the balancer is stopped.
   */
  async reload(config: Config, certificates: Certificates = {}): Promise<void> {
    const { changes: settings, ignored } = difference(this.#fileConfig, config, this.#started);
    const changes = [...settings, ...certificateChanges(this.#certificates, certificates)];
    const probed = this.#use(config, this.#wishes, certificates);
    const wishes = wishedChanges(config, this.#wishes);
    this.#events.emit({
      type: "config_reloaded",
      at_ms: toMs(this.#now()),
      changes,
      ignored,
      ...wishes.length > 0 && { wishes },
    });
    await probed;
  }

  /**
   * Applies a configuration at once. Resolves when new backends have been probed once.
   *
   * @throws {RangeError} if a parameter of the algorithm is out of range, and then nothing has changed.
   */
  #use(file: Config, wishes: Wishes, certificates: Certificates): Promise<void> {
    const config = withWishes(file, wishes);
    const before = this.#config;
    const context = serverContextOf(config, certificates);
    const backendTls = backendTlsOf(config, certificates);
    // Clients can resume their TLS sessions only with the context that issued them.
    const isKnown = isDeepStrictEqual(this.#certificates.listener, certificates.listener);
    if (!isKnown) this.#serverContext = context;
    this.#backendTls = backendTls;
    this.#certificates = certificates;
    const now = this.#now();
    // Changes that time has made due by now still follow the previous configuration.
    this.scheduler.passTime(now);
    if (this.#events.wanted.configuration_used) {
      const configuration = writtenConfig(config);
      this.#events.emit({ type: "configuration_used", at_ms: toMs(now), configuration });
    }
    this.scheduler.reconfigure({ ...config, explainEvery: this.#explainEvery }, now);
    this.#config = config;
    this.#fileConfig = file;
    this.#wishes = wishes;
    if (config.sticky !== undefined) this.#keeper?.configure(config.sticky);
    if (config.timeouts.connect !== before.timeouts.connect) {
      this.#formerDialers.push(this.#dialer);
      this.#dialer = new Dialer(config.timeouts.connect);
    }
    this.#relays.idleTimeout = config.timeouts.idle;
    return this.#prober.reload(config, this.#backendTls);
  }

  /**
   * Stops accepting, lets open connections finish until the drain timeout, and closes the rest.
   *
   * @param hurry Ends the drain at once.
   */
  async stop(hurry?: AbortSignal): Promise<StopSummary> {
    this.#stopping = true;
    this.scheduler.stop(this.#now());
    this.#keeper?.stopAsking();
    closeIfOpen(this.#listener);
    for (const client of this.#handshaking) closeIfOpen(client);
    this.#shortages.stop();
    await Promise.all([this.#accepting.catch(() => {}), this.#prober.stop()]);
    while (this.#handshaking.size > 0) await this.#connectionEnded.next;
    const open = this.scheduler.connections;
    {
      using drain = new Deadline(this.#config.timeouts.drain, hurry);
      const over = untilAborted(drain.signal);
      while (this.scheduler.connections > 0 && !drain.signal.aborted) {
        await Promise.race([this.#connectionEnded.next, over]);
      }
    }
    const closed = this.scheduler.connections;
    for (const dialer of [this.#dialer, ...this.#formerDialers]) dialer.close();
    this.#relays.closeAll("closed_by_balancer");
    while (this.scheduler.connections > 0) await this.#connectionEnded.next;
    await this.#keeper?.stop();
    this.#unsubscribe();
    this.scheduler.onWake = undefined;
    clearTimeout(this.#waking);
    return { finished: open - closed, closed };
  }

  /** Serves a client, and owns its connection. Never rejects. */
  async #serve(tcp: Deno.TcpConn): Promise<void> {
    const own = canonicalIp(tcp.remoteAddr.hostname);
    const isProxied = this.#isTrustedProxy(own);
    const now = this.#now();
    const scheduled = isProxied
      ? this.scheduler.acceptProxy(own, now)
      : this.scheduler.accept(own, now);
    if (scheduled.refusal !== undefined) {
      closeIfOpen(tcp);
      this.#ended();
      return;
    }
    const accepted = this.#serverContext === undefined && !isProxied
      ? { client: tcp, preamble: NO_PREAMBLE }
      : await this.#accept(tcp, isProxied, scheduled);
    if (accepted === undefined) {
      this.#ended();
      return;
    }
    const { client, preamble } = accepted;
    const asking = this.#keeper?.ask(scheduled.client);
    if (asking !== undefined) await asking;
    const header = this.#header(tcp, preamble);
    let outcome = scheduled.assign(this.#now());
    let early: EarlyReader | undefined;
    while (outcome.kind !== "refused") {
      // The first connect is short. A client that must wait longer may leave meanwhile, so it is read from now on.
      if (outcome.kind === "wait" || scheduled.attempt > 1) early ??= new EarlyReader(client);
      if (outcome.kind === "wait") {
        const settled = await this.#roomFor(scheduled, early!);
        if (settled === undefined) break;
        outcome = settled;
        continue;
      }
      const tls = this.#backendTls;
      let connection = await this.#dial(scheduled, tls, header);
      if (connection instanceof DialFailure && connection.shortage !== undefined) {
        connection = await this.#dialAgain(connection, scheduled, tls, header);
      }
      const now = this.#now();
      if (early?.hasFailed) {
        if (!(connection instanceof DialFailure)) connection.close();
        scheduled.leave(now);
        break;
      }
      if (!(connection instanceof DialFailure)) {
        scheduled.connected(now);
        const first = tls === undefined ? header : undefined;
        const rest = client === tcp ? preamble.rest : NO_PREAMBLE.rest;
        this.#relays.start(client, connection, scheduled, preambleOf(first, rest, early?.take()));
        return;
      }
      const { reason, shortage, detail } = connection;
      if (this.#dialer.closed) outcome = scheduled.refuse("stopping", now);
      else if (shortage !== undefined) outcome = scheduled.refuse("local_shortage", now, detail);
      else outcome = scheduled.connectFailed(reason, now, detail);
    }
    closeIfOpen(client);
    this.#ended();
  }

  /** Resolves when a waiting client gets a backend or is refused; to undefined if the client leaves. */
  #roomFor(
    scheduled: ScheduledConnection,
    early: EarlyReader,
  ): Promise<Connect | Refused | undefined> {
    return new Promise((resolve) => {
      early.onEnd = () => {
        scheduled.leave(this.#now());
        resolve(undefined);
      };
      scheduled.onSettled = (outcome) => {
        early.onEnd = undefined;
        resolve(outcome);
      };
      if (early.hasEnded) early.onEnd();
    });
  }

  /** Calls the scheduler at the time at which it next needs to be woken. */
  #wakeAt(at: Nanoseconds): void {
    clearTimeout(this.#waking);
    this.#waking = setTimeout(() => {
      this.scheduler.passTime(this.#now());
      const { nextWake } = this.scheduler;
      if (nextWake !== undefined) this.#wakeAt(nextWake);
    }, timerDelay(at - this.#now()));
  }

  /** Whether a connection comes from a proxy whose PROXY header is trusted. */
  #isTrustedProxy(host: string): boolean {
    const { acceptFrom = [] } = this.#config.proxyProtocol ?? {};
    if (acceptFrom.length === 0) return false;
    return isInAny(acceptFrom, parseIp(host));
  }

  /** Completes a client's PROXY header and TLS handshake; undefined if the client was refused. */
  async #accept(
    tcp: Deno.TcpConn,
    isProxied: boolean,
    scheduled: ScheduledConnection,
  ): Promise<AcceptedClient | undefined> {
    this.#handshaking.add(tcp);
    const accepted = await this.#handshake(tcp, isProxied, scheduled);
    this.#handshaking.delete(tcp);
    if (accepted === undefined) closeIfOpen(tcp);
    return accepted;
  }

  async #handshake(
    tcp: Deno.TcpConn,
    isProxied: boolean,
    scheduled: ScheduledConnection,
  ): Promise<AcceptedClient | undefined> {
    const refuse = (reason: RefusalReason, detail?: string) => {
      if (this.#stopping) scheduled.refuse("stopping", this.#now());
      else scheduled.refuse(reason, this.#now(), detail);
      return undefined;
    };
    const preamble = isProxied
      ? await readProxyPreamble(tcp, this.#config.proxyProtocol!.timeout)
      : NO_PREAMBLE;
    if (typeof preamble === "string") return refuse(preamble);
    if (this.#stopping) return refuse("stopping");
    const source = preamble.endpoints?.source.host ?? scheduled.client;
    if (isProxied && !scheduled.admit(source, this.#now())) return undefined;
    const context = this.#serverContext;
    if (context === undefined) return { client: tcp, preamble };
    const client = await acceptTls(tcp, context, preamble.rest, this.#config.tls!.timeout);
    if ("tlsFailure" in client) {
      if (client.sentNothing) return refuse("sent_nothing");
      return refuse("bad_tls_handshake", client.tlsFailure);
    }
    return { client, preamble };
  }

  /** The PROXY header that the backend gets; undefined if none is sent. */
  #header(client: Deno.TcpConn, { endpoints }: ProxyPreamble): Uint8Array | undefined {
    const { send = "off" } = this.#config.proxyProtocol ?? {};
    if (send === "off") return undefined;
    const ends = endpoints ??
      { source: addressOf(client.remoteAddr), destination: addressOf(client.localAddr) };
    return encodeProxyHeader(send, ends);
  }

  #dial(
    { backend }: ScheduledConnection,
    tls: BackendTls | undefined,
    header: Uint8Array | undefined,
  ): Promise<Connection | DialFailure> {
    const { address, removed } = backend;
    if (removed || address === undefined) {
      return Promise.resolve(new DialFailure("unreachable", "it was removed meanwhile"));
    }
    return this.#dialer.dial(address, tls, header);
  }

  /** Connects again and again while the shortage lasts, at most for the connect timeout. */
  async #dialAgain(
    failure: DialFailure,
    scheduled: ScheduledConnection,
    tls: BackendTls | undefined,
    header: Uint8Array | undefined,
  ): Promise<Connection | DialFailure> {
    let result: Connection | DialFailure = failure;
    while (result instanceof DialFailure && result.shortage !== undefined) {
      const isUseful = await this.#shortages.wait(result.shortage, result.detail ?? result.reason);
      const late = this.#now() - scheduled.pickedAt > this.#config.timeouts.connect;
      if (late || this.#dialer.closed) break;
      if (isUseful) result = await this.#dial(scheduled, tls, header);
    }
    return result;
  }

  /** Resolves when accepting again may succeed after this error. */
  async #acceptAgain(error: unknown): Promise<void> {
    const resource = localShortage(error) ?? "other";
    const detail = error instanceof Error ? error.message : String(error);
    while (!await this.#shortages.wait(resource, detail));
  }

  #ended(): void {
    this.#connectionEnded.notify();
  }
}

/** The bytes that a backend gets before those that the relay reads; undefined if there are none. */
function preambleOf(
  header: Uint8Array | undefined,
  rest: Uint8Array,
  early: Preamble | undefined,
): Preamble | undefined {
  if (header === undefined && early === undefined && rest.length === 0) return undefined;
  const parts = [header, rest, early?.bytes].filter((part) => part !== undefined);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return { bytes, headerLength: header?.length ?? 0, next: early?.next };
}

function runStarted(config: Config, seed: number, now: Nanoseconds): LbEvent {
  return {
    type: "run_started",
    at_ms: toMs(now),
    version: VERSION,
    seed,
    epoch_ms: Math.round(Date.now() - toMs(now)),
    configuration: writtenConfig(config),
  };
}

function serverContextOf(
  { tls }: Config,
  { listener }: Certificates,
): ServerContext | undefined {
  assert(
    (tls === undefined) === (listener === undefined),
    "there is a certificate if, and only if, the configuration asks for one",
  );
  return listener && serverContext(listener);
}

function keeperOf(
  config: Config,
  scheduler: Scheduler,
  { events, now }: BalancerOptions,
): SessionKeeper | undefined {
  const store = sessionStoreOf(config);
  if (config.sticky === undefined || store === undefined) return undefined;
  return new SessionKeeper({ scheduler, store, rules: config.sticky, events, now });
}
