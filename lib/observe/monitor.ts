import {
  assert,
  formatAddress,
  type Nanoseconds,
  NS_PER_MS,
  NS_PER_S,
  VERSION,
} from "../base/mod.ts";
import {
  type Backend,
  conditionOf,
  type ConnectFailure,
  type ConnectionEnd,
  type ConnectionMeter,
  type EventOf,
  type EventStream,
  type EventType,
  type LbEvent,
  type MeteredBackend,
  type RefusalReason,
  toMs,
} from "../core/mod.ts";
import { BackendFacts, SAMPLES } from "./backend_facts.ts";
import { CONDITIONS, type Frame } from "./frame.ts";
import type { Latencies } from "./latencies.ts";
import type { Settings } from "./settings.ts";
import type {
  BackendSnapshot,
  HealthSnapshot,
  LatencySnapshot,
  ProcessSnapshot,
  Snapshot,
} from "./snapshot.ts";

/** The scheduler's tables, for reading only. */
export interface Tables {
  readonly backends: readonly Backend[];
  readonly activeServers: readonly string[];
  readonly connections: number;
  readonly waiting: number;
  readonly sessionCount: number;
  backend(id: string): Backend | undefined;
}

/** The bytes of connections that are still open. */
export interface OpenTraffic {
  readonly bytesToBackend: number;
  readonly bytesToClient: number;
}

/** The data that the monitor needs besides events and the scheduler's tables. */
export interface Surroundings {
  readonly settings: Settings;
  /** Absent in the simulator. */
  readonly process?: ProcessSnapshot | undefined;
  /** For each backend with open connections. If absent, bytes are counted when a connection ends. */
  readonly openTraffic?: ReadonlyMap<MeteredBackend, OpenTraffic> | undefined;
}

/** The interval between samples of the totals. Rates are computed from these samples. */
const SAMPLED_EVERY: Nanoseconds = NS_PER_S;
/** Rates and latencies are computed over this time, or over a shorter one soon after the start. */
const WINDOW: Nanoseconds = 10 * NS_PER_S;
/** The window of latencies has two parts. After this time, the next part begins. */
const ROTATED_EVERY: Nanoseconds = WINDOW / 2;
/** The largest number of marks between two frames; older marks are dropped. */
const MARKS_MAX = 100;

/** Rare and important events, which a page marks in its charts. */
const MARKS = [
  "backend_up",
  "backend_down",
  "backend_mode_changed",
  "backend_fault_began",
  "backend_fault_ended",
  "backend_ejected",
  "backend_readmitted",
  "config_reloaded",
  "wishes_changed",
  "session_store_degraded",
  "session_store_recovered",
  "shortage_began",
  "shortage_ended",
] as const satisfies readonly EventType[];

const NO_TRAFFIC: OpenTraffic = { bytesToBackend: 0, bytesToClient: 0 };

/**
 * Folds events and the scheduler's tables into snapshots and frames. Live and simulated runs are observed alike: time
 * is an argument. Changes that happen for each connection arrive as numbers through the meter, so that no event
 * object is created; all other changes arrive as events.
 *
 * Call `advance` once a second; `snapshot` and `frame` call it themselves.
 */
export class Monitor implements ConnectionMeter {
  readonly #facts = new Map<MeteredBackend, BackendFacts>();
  readonly #unsubscribe: readonly (() => void)[];
  readonly #events: EventStream;
  #tables: Tables | undefined;
  #epochMs = 0;
  #startedMs = 0;
  #version = VERSION;
  #inFlightMax = 0;
  #arrived = 0;
  #left = 0;
  #retried = 0;
  #queued = 0;
  #waitingMax = 0;
  #moved = 0;
  #evicted = 0;
  #refused = 0;
  /** The bytes of connections that have ended. */
  #bytesToBackends = 0;
  #bytesToClients = 0;
  readonly #refusedByReason = new Map<RefusalReason, number>();
  /** The time of each sample, in a ring. */
  readonly #sampledAt = new Float64Array(SAMPLES).fill(NaN);
  readonly #refusedThen = new Float64Array(SAMPLES);
  /** The latest sample. */
  #sample = 0;
  #rotatedAt: Nanoseconds = -Infinity;
  #sequence = 0;
  #marks: LbEvent[] = [];

  constructor(events: EventStream) {
    this.#events = events;
    events.meter = this;
    const on = <Type extends EventType>(type: Type, read: (event: EventOf<Type>) => void) =>
      events.subscribe("monitor", [type], read);
    this.#unsubscribe = [
      on("run_started", ({ at_ms, epoch_ms, version }) => {
        this.#startedMs = at_ms;
        this.#epochMs = epoch_ms;
        this.#version = version;
      }),
      on("probe", (event) => this.#probed(event)),
      on("backend_fault_began", ({ backend, fault }) => {
        this.#factsById(backend)?.faults.push(fault);
      }),
      on("backend_fault_ended", ({ backend, fault }) => {
        const faults = this.#factsById(backend)?.faults ?? [];
        const place = faults.indexOf(fault);
        if (place >= 0) faults.splice(place, 1);
      }),
      on("backend_up", ({ backend, at_ms }) => this.#up(backend, at_ms * NS_PER_MS)),
      on("backend_down", ({ backend, at_ms }) => this.#down(backend, at_ms * NS_PER_MS)),
      on("backend_mode_changed", ({ backend, at_ms }) => {
        const facts = this.#factsById(backend);
        if (facts !== undefined) facts.modeSince = at_ms * NS_PER_MS;
      }),
      on("backend_ejected", ({ backend }) => {
        const facts = this.#factsById(backend);
        if (facts !== undefined) facts.ejections++;
      }),
      on("session_moved", () => void this.#moved++),
      on("session_evicted", () => void this.#evicted++),
      events.subscribe("monitor", MARKS, (event) => {
        if (this.#marks.length === MARKS_MAX) this.#marks.shift();
        this.#marks.push(event);
      }),
    ];
  }

  /** Observes these tables from now on. Call it before they change for the first time. */
  observe(tables: Tables, now: Nanoseconds): void {
    this.#tables = tables;
    for (const backend of tables.backends) this.#facts.set(backend, new BackendFacts(now));
    this.#sampledAt[0] = now;
    this.#rotatedAt = now;
  }

  /** Stops observing. The stream then has no meter. */
  stop(): void {
    this.#unsubscribe.forEach((end) => end());
    this.#events.meter = undefined;
  }

  arrived(): void {
    this.#arrived++;
  }

  left(): void {
    this.#left++;
  }

  picked(backend: MeteredBackend, inFlight: number): void {
    const facts = this.#factsOf(backend);
    if (backend.inFlight > facts.inFlightMax) facts.inFlightMax = backend.inFlight;
    if (inFlight > this.#inFlightMax) this.#inFlightMax = inFlight;
  }

  opened(backend: MeteredBackend, attempt: number, connect: Nanoseconds): void {
    const facts = this.#factsOf(backend);
    facts.connect.record(connect);
    if (attempt > 1) this.#wasRetried(facts);
  }

  connectFailed(backend: MeteredBackend, attempt: number, reason: ConnectFailure): void {
    const facts = this.#factsOf(backend);
    facts.connectsFailed[reason]++;
    if (attempt > 1) this.#wasRetried(facts);
  }

  #wasRetried(facts: BackendFacts): void {
    facts.retried++;
    this.#retried++;
  }

  answered(backend: MeteredBackend, latency: Nanoseconds): void {
    this.#factsOf(backend).firstByte.record(latency);
  }

  closed(
    backend: MeteredBackend,
    end: ConnectionEnd,
    duration: Nanoseconds,
    bytesToBackend: number,
    bytesToClient: number,
  ): void {
    const facts = this.#factsOf(backend);
    facts.ends[end]++;
    facts.duration.record(duration);
    facts.bytesToBackend += bytesToBackend;
    facts.bytesToClient += bytesToClient;
    this.#bytesToBackends += bytesToBackend;
    this.#bytesToClients += bytesToClient;
  }

  refused(reason: RefusalReason): void {
    if (reason !== "sent_nothing") this.#refused++; // Clients that send nothing are probes, which never stop.
    this.#refusedByReason.set(reason, (this.#refusedByReason.get(reason) ?? 0) + 1);
  }

  queued(waiting: number): void {
    this.#queued++;
    if (waiting > this.#waitingMax) this.#waitingMax = waiting;
  }

  /** Takes a sample if one is due. */
  advance(now: Nanoseconds): void {
    const tables = this.#tables;
    if (tables === undefined) return;
    if (now - this.#rotatedAt >= ROTATED_EVERY) {
      const parts = now - this.#rotatedAt >= WINDOW ? 2 : 1;
      for (let i = 0; i < parts; i++) this.#facts.forEach((facts) => facts.rotate());
      this.#rotatedAt = now;
    }
    if (now - this.#sampledAt[this.#sample]! < SAMPLED_EVERY) return;
    this.#sample = (this.#sample + 1) % SAMPLES;
    this.#sampledAt[this.#sample] = now;
    this.#refusedThen[this.#sample] = this.#refused;
    for (const backend of tables.backends) {
      this.#factsOf(backend).opened[this.#sample] = backend.connections;
    }
    for (const backend of this.#facts.keys()) {
      if (backend.removed && backend.inFlight === 0) this.#facts.delete(backend);
    }
  }

  /** The state at this moment. */
  snapshot(now: Nanoseconds, surroundings: Surroundings): Snapshot {
    this.advance(now);
    const tables = this.#known();
    const { settings, process = null } = surroundings;
    const since = this.#sampleBefore(now, WINDOW);
    const opened = sumOf(tables.backends, (backend) => backend.connections);
    const lately = sumOf(tables.backends, (backend) => this.#openedSince(backend, since));
    const perSecond = this.#perSecond(now, since);
    const total = { opened, lately, perSecond, since, now };
    return {
      at_ms: toMs(now),
      epoch_ms: this.#epochMs,
      version: this.#version,
      uptime_ms: toMs(now) - this.#startedMs,
      listen: settings.listen,
      algorithm: settings.algorithm,
      configuration_digest: settings.digest,
      wishes: settings.wishes,
      active_servers: tables.activeServers,
      connection_count: Object.fromEntries(
        tables.backends.map(({ id, inFlight }) => [id, inFlight]),
      ),
      connections: {
        in_flight: tables.connections,
        in_flight_max: this.#inFlightMax,
        limit: settings.connectionsLimit,
        arrived: this.#arrived,
        opened,
        opened_per_s: lately * perSecond,
        refused: this.#refused,
        refused_per_s: (this.#refused - this.#refusedThen[since]!) * perSecond,
        refused_by_reason: Object.fromEntries(this.#refusedByReason),
        left: this.#left,
        retried: this.#retried,
      },
      queue: {
        waiting: tables.waiting,
        waiting_max: this.#waitingMax,
        limit: settings.queueLimit,
        queued: this.#queued,
      },
      sessions: {
        count: tables.sessionCount,
        limit: settings.sessionsLimit,
        moved: this.#moved,
        evicted: this.#evicted,
      },
      ...this.#bytes(surroundings),
      process,
      window_s: WINDOW / NS_PER_S,
      backends: tables.backends.map((backend) => this.#backend(backend, total, surroundings)),
    };
  }

  /** The state at this moment, as a page draws it, with the marks since the last frame. */
  frame(now: Nanoseconds, surroundings: Pick<Surroundings, "process" | "openTraffic">): Frame {
    this.advance(now);
    const { backends, connections, waiting, sessionCount } = this.#known();
    const since = this.#sampleBefore(now, SAMPLED_EVERY);
    const perSecond = this.#perSecond(now, since);
    const facts = backends.map((backend) => this.#factsOf(backend));
    const column = (read: (backend: Backend) => number) => Float64Array.from(backends, read);
    const latency = (read: (facts: BackendFacts) => Latencies, share: number) =>
      Float64Array.from(facts, (one) => read(one).recentQuantileMs(share));
    const marks = this.#marks;
    this.#marks = [];
    return {
      sequence: ++this.#sequence,
      at_ms: toMs(now),
      in_flight: connections,
      waiting,
      sessions: sessionCount,
      opened: sumOf(backends, (backend) => backend.connections),
      refused: this.#refused,
      ...this.#bytes(surroundings),
      event_loop_delay_ms: surroundings.process?.event_loop_delay_ms ?? NaN,
      backends: backends.map(({ id }) => id),
      marks,
      condition: Uint8Array.from(backends, (one) => CONDITIONS.indexOf(conditionOf(one))),
      effective_weight: column((backend) => backend.weight),
      backend_in_flight: column((backend) => backend.inFlight),
      backend_opened: column((backend) => backend.connections),
      opened_per_s: column((backend) => this.#openedSince(backend, since) * perSecond),
      connects_failed: column((backend) => backend.connectFailures),
      connect_p50_ms: latency(({ connect }) => connect, 0.5),
      connect_p99_ms: latency(({ connect }) => connect, 0.99),
      first_byte_p50_ms: latency(({ firstByte }) => firstByte, 0.5),
      first_byte_p99_ms: latency(({ firstByte }) => firstByte, 0.99),
    };
  }

  /** The data that the metrics need besides a snapshot: histograms, and counts by outcome. */
  factsOf(id: string): BackendFacts | undefined {
    return this.#factsById(id);
  }

  #backend(
    backend: Backend,
    { opened, lately, perSecond, since, now }: Totals,
    { settings, openTraffic }: Surroundings,
  ): BackendSnapshot {
    const facts = this.#factsOf(backend);
    const { id, address, ejection, slowStart } = backend;
    const { bytesToBackend, bytesToClient } = openTraffic?.get(backend) ?? NO_TRAFFIC;
    const recent = this.#openedSince(backend, since);
    const file = settings.file.get(id);
    return {
      id,
      address: address === undefined ? null : formatAddress(address),
      tier: backend.backup ? "backup" : "primary",
      condition: conditionOf(backend),
      weight: backend.fullWeight,
      effective_weight: backend.weight,
      health: healthOf(backend, facts, now),
      wish: {
        state: backend.mode,
        since_ms: toMs(facts.modeSince),
        file_state: file?.state ?? backend.mode,
        file_weight: file?.weight ?? backend.fullWeight,
      },
      in_flight: backend.inFlight,
      in_flight_max: facts.inFlightMax,
      limit: backend.maxConnections === Infinity ? null : backend.maxConnections,
      opened: backend.connections,
      opened_per_s: recent * perSecond,
      share: opened === 0 ? 0 : backend.connections / opened,
      recent_share: lately === 0 ? 0 : recent / lately,
      connects_failed: backend.connectFailures,
      retried: facts.retried,
      bytes_to_backend: facts.bytesToBackend + bytesToBackend,
      bytes_to_client: facts.bytesToClient + bytesToClient,
      connect: latencyOf(facts.connect),
      first_byte: latencyOf(facts.firstByte),
      ejection: ejection === undefined ? null : {
        ejected: ejection.ejected,
        until_ms: ejection.ejected ? toMs(ejection.until) : null,
        failures: ejection.failures,
        times: facts.ejections,
      },
      slow_start: slowStart === undefined ? null : { share: slowStart.share },
      ...settings.takesFaults.has(id) && {
        fault: facts.faults.length === 0 ? null : facts.faults.join(", "),
      },
    };
  }

  #bytes({ openTraffic }: Pick<Surroundings, "openTraffic">) {
    let toBackends = this.#bytesToBackends;
    let toClients = this.#bytesToClients;
    for (const { bytesToBackend, bytesToClient } of openTraffic?.values() ?? []) {
      toBackends += bytesToBackend;
      toClients += bytesToClient;
    }
    return { bytes_to_backends: toBackends, bytes_to_clients: toClients };
  }

  #probed(event: EventOf<"probe">): void {
    const facts = this.#factsById(event.backend);
    if (facts === undefined) return;
    facts.probes++;
    if (!event.ok) facts.failedProbes++;
    facts.lastProbe = event;
    facts.probeDuration.record(event.probe_ms * NS_PER_MS);
  }

  #up(id: string, at: Nanoseconds): void {
    const facts = this.#factsById(id);
    if (facts === undefined) return;
    if (facts.isDown) facts.downBefore += at - facts.healthSince;
    facts.isDown = false;
    facts.healthSince = at;
  }

  #down(id: string, at: Nanoseconds): void {
    const facts = this.#factsById(id);
    if (facts === undefined) return;
    facts.isDown = true;
    facts.timesDown++;
    facts.healthSince = at;
  }

  #known(): Tables {
    assert(this.#tables !== undefined, "there is something to observe");
    return this.#tables;
  }

  #factsOf(backend: MeteredBackend): BackendFacts {
    let facts = this.#facts.get(backend);
    if (facts === undefined) {
      facts = new BackendFacts(this.#sampledAt[this.#sample]!);
      this.#facts.set(backend, facts);
    }
    return facts;
  }

  #factsById(id: string): BackendFacts | undefined {
    const backend = this.#tables?.backend(id);
    return backend && this.#factsOf(backend);
  }

  /** The oldest sample within this age, or the latest sample if all are older. */
  #sampleBefore(now: Nanoseconds, age: Nanoseconds): number {
    let found = this.#sample;
    for (let back = 1; back < SAMPLES; back++) {
      const sample = (this.#sample - back + SAMPLES) % SAMPLES;
      const at = this.#sampledAt[sample]!;
      // NaN: no such sample was taken.
      if (!(now - at <= age)) break;
      found = sample;
    }
    return found;
  }

  /** The factor that turns a difference since a sample into a rate per second. */
  #perSecond(now: Nanoseconds, sample: number): number {
    const past = now - this.#sampledAt[sample]!;
    return past > 0 ? NS_PER_S / past : 0;
  }

  #openedSince(backend: Backend, sample: number): number {
    return backend.connections - this.#factsOf(backend).opened[sample]!;
  }
}

interface Totals {
  /** Since the start. */
  readonly opened: number;
  /** In the window. */
  readonly lately: number;
  readonly perSecond: number;
  readonly since: number;
  readonly now: Nanoseconds;
}

function healthOf({ health }: Backend, facts: BackendFacts, now: Nanoseconds): HealthSnapshot {
  const { lastProbe, healthSince, isDown, downBefore } = facts;
  return {
    state: health.state,
    since_ms: toMs(healthSince),
    last_probe: lastProbe === undefined ? null : {
      at_ms: lastProbe.at_ms,
      ok: lastProbe.ok,
      duration_ms: lastProbe.probe_ms,
      text: lastProbe.ok ? "ok" : lastProbe.reason ?? "failed",
    },
    streak: health.streak,
    probes: facts.probes,
    failed_probes: facts.failedProbes,
    times_down: facts.timesDown,
    down_ms: toMs(downBefore + (isDown ? now - healthSince : 0)),
  };
}

function latencyOf(latencies: Latencies): LatencySnapshot {
  const count = latencies.recentCount;
  if (count === 0) return { count, p50_ms: null, p99_ms: null };
  return {
    count,
    p50_ms: latencies.recentQuantileMs(0.5),
    p99_ms: latencies.recentQuantileMs(0.99),
  };
}

function sumOf<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}
