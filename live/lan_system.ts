import { type AdminClient, Unreachable } from "../lib/admin/mod.ts";
import type { ServiceAnswer } from "../lib/api/mod.ts";
import {
  type Address,
  formatDuration,
  type Nanoseconds,
  NS_PER_MS,
  NS_PER_S,
  UserError,
} from "../lib/base/mod.ts";
import type { BackendMode, LbEvent } from "../lib/core/mod.ts";
import { type ServerFault, writtenFault } from "../lib/fault/mod.ts";
import { monotonicNow } from "../lib/io/mod.ts";
import type { Snapshot } from "../lib/observe/mod.ts";
import type { BackendFault, Fault, ServerOptions } from "../lib/scenario/types.ts";
import type { MeasuredBackend } from "../sim/measure/mod.ts";
import { type Lan, serviceOf } from "./lan.ts";
import { settable } from "./lan_limits.ts";
import {
  configOf,
  InFlight,
  type LiveSystem,
  modeUnder,
  type SystemContext,
} from "./live_system.ts";

/** If the request is not repeated for this long, a backend stops serving the scenario. */
const LEASE: Nanoseconds = 15 * NS_PER_S;
const RENEW_EVERY_MS = 4000;
/** A fault lasts no longer than the run. This time is added, because requests end later than the run. */
const AFTER_RUN: Nanoseconds = 60 * NS_PER_S;
/** The duration of a fault if the length of the run is unknown. */
const FAULT_MAX: Nanoseconds = 3600 * NS_PER_S;
/** The longest time until an event arrives, because the balancer sends its events in batches. */
const EVENTS_LATE: Nanoseconds = 300 * NS_PER_MS;
/** Numbers that are younger than this are not requested again. */
const FRESH: Nanoseconds = 200 * NS_PER_MS;
/** The time limit for each request that restores a setting. */
const UNDO_MS = 3000;

/** A backend of the LAN, with its measurements. */
class LanBackend implements MeasuredBackend {
  readonly id: string;
  readonly index: number;
  readonly options: ServerOptions;
  readonly flights: InFlight;
  reached = 0;
  done = 0;
  failed = 0;
  /** Its latest answer about its service. */
  told: NonNullable<ServiceAnswer["service"]> | undefined;
  /** When it sent this answer. */
  toldAt: Nanoseconds = -Infinity;
  /** When it last accepted the request to continue. */
  renewedAt: Nanoseconds = 0;

  constructor(id: string, index: number, options: ServerOptions, flights: InFlight) {
    this.id = id;
    this.index = index;
    this.options = options;
    this.flights = flights;
  }

  readonly server = {
    busyTime: () => (this.told?.busy_ms ?? 0) * NS_PER_MS,
    waitingTime: () => (this.told?.waiting_ms ?? 0) * NS_PER_MS,
    meanSlots: () => this.options.slots,
  };

  inFlightTime(now: Nanoseconds): number {
    return this.flights.time(now);
  }

  /** The body of the request with which it serves the scenario. */
  get wanted() {
    const { slots, queue, speed, discipline, abandoned } = this.options;
    const limit = (count: number) => count === Infinity ? "unlimited" : count;
    return {
      ...{ slots: limit(slots), queue: limit(queue), speed, discipline, abandoned },
      for: formatDuration(LEASE),
    };
  }
}

/** A setting that was changed on the LAN. */
interface Change {
  /** The setting, in words, for the warning if it cannot be restored. */
  readonly left: string;
  readonly undo: () => Promise<unknown>;
}

/** The balancer and the backends of a run, on the machines of a LAN. */
export class LanSystem implements LiveSystem {
  readonly backends: readonly LanBackend[];
  readonly clientAddress: string | undefined;
  readonly hasLatency: boolean;
  readonly eventsLate = EVENTS_LATE;
  readonly #lan: Lan;
  readonly #context: SystemContext;
  /** Ends everything except the requests that restore settings. */
  readonly #ended = new AbortController();
  /** The changed settings, by their names. */
  readonly #changes = new Map<string, Change>();
  readonly #active = new Set<Fault>();
  readonly #modes: BackendMode[];
  /** The connections that began during this run. */
  readonly #open = new Map<number, LanBackend>();
  /** The requests to the API that have not ended, one after the other. */
  #requests: Promise<unknown> = Promise.resolve();
  /** The time of this process at which the balancer's time was 0. */
  #epoch: Nanoseconds = 0;
  #renewal: ReturnType<typeof setInterval> | undefined;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(lan: Lan, context: SystemContext) {
    const { scenario, alarms } = context;
    const config = configOf(scenario);
    this.#lan = lan;
    this.#context = context;
    this.clientAddress = lan.facts.isProxied ? undefined : lan.facts.ownAddress;
    this.hasLatency = lan.facts.hasLatency;
    this.backends = config.backends.map(({ id }, index) =>
      new LanBackend(id, index, scenario.servers[index]!, new InFlight(alarms.now))
    );
    this.#modes = config.backends.map(({ mode }) => mode);
  }

  async start(): Promise<void> {
    const { scenario } = this.#context;
    const now = settable(this.#lan.config);
    const wanted = settable(configOf(scenario));
    if (JSON.stringify(now.algorithm) !== JSON.stringify(wanted.algorithm)) {
      await this.#set("the balancer", "the algorithm of the scenario", "/api/algorithm", {
        algorithm: wanted.algorithm,
      });
    }
    for (const { id, weight, mode } of wanted.backends) {
      const before = now.backends.find((backend) => backend.id === id)!;
      const path = `/api/backends/${encodeURIComponent(id)}`;
      if (weight !== before.weight) {
        await this.#set("the balancer", `weight ${weight} of ${id}`, `${path}/weight`, { weight });
      }
      if (mode !== before.mode) {
        await this.#set("the balancer", `state ${mode} of ${id}`, `${path}/state`, { state: mode });
      }
    }
    const balancer = this.#balancer();
    if (configOf(scenario).sticky !== undefined) await balancer.ask("DELETE", "/api/sessions");
    for (const backend of this.backends) {
      this.#changes.set(`service of ${backend.id}`, {
        left: `${backend.id} continues to serve the scenario for ${
          formatDuration(LEASE)
        } after the last request to do so, and then serves as before`,
        undo: () => this.#undoing(backend.id).ask("DELETE", "/api/service", undefined, UNDO_MS),
      });
      await this.#renew(backend);
    }
    await this.#follow();
    this.#renewal = setInterval(() => {
      for (const backend of this.backends) void this.#continue(backend);
    }, RENEW_EVERY_MS);
  }

  addressOf(): Address {
    return this.#lan.listen;
  }

  modeOf(backend: number): BackendMode {
    return this.#modes[backend]!;
  }

  takeBackendOf(): undefined {
    return undefined;
  }

  /** Does nothing: a scenario with changes is refused before the run. */
  change(): void {}

  begin(fault: Fault): void {
    this.#active.add(fault);
    if (!("backend" in fault)) return;
    const { kind } = fault;
    switch (kind.name) {
      case "drain":
      case "maintenance":
        return this.#setMode(fault.backend);
      case "partition":
        return; // A scenario with a partition is refused before the run.
      default:
        this.#hurt(fault, kind);
    }
  }

  end(fault: Fault): void {
    this.#active.delete(fault);
    if (!("backend" in fault)) return;
    const { name } = fault.kind;
    if (name === "drain" || name === "maintenance") this.#setMode(fault.backend);
  }

  async refresh(): Promise<void> {
    await Promise.all(this.backends.map(async (backend) => {
      if (monotonicNow() - backend.toldAt < FRESH) return;
      const client = this.#lan.backend(backend.id, this.#ended.signal);
      this.#learn(backend, await serviceOf(client, backend.id));
    }));
  }

  async close(): Promise<void> {
    clearInterval(this.#renewal);
    this.#ended.abort();
    await Promise.all([this.#reading, this.#requests]);
    // The latest change is undone first. So faults end before other settings are restored.
    for (const { left, undo } of [...this.#changes.values()].reverse()) {
      try {
        await undo();
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.#lan.options.warn(`not restored: ${left}. ${why}`, true);
      }
    }
  }

  #balancer(): AdminClient {
    return this.#lan.balancer(this.#ended.signal);
  }

  /** The requests that restore a backend's state, also after the run was stopped. */
  #undoing(id: string): AdminClient {
    return this.#lan.backend(id, this.#lan.options.hurry);
  }

  /** Changes a setting of the balancer. The change is withdrawn at the end. */
  async #set(who: string, what: string, path: string, body: unknown): Promise<void> {
    const { hurry, file } = this.#lan.options;
    this.#changes.set(path, {
      left:
        `${who} keeps ${what}; lbsim ctl --config ${file} withdraw restores the value of the file`,
      undo: () => this.#lan.balancer(hurry).ask("DELETE", path, undefined, UNDO_MS),
    });
    await this.#balancer().ask("PUT", path, body);
  }

  #setMode(index: number): void {
    const backend = this.backends[index]!;
    const { id } = backend;
    const state = modeUnder(this.#active, this.#context.scenario, backend);
    const path = `/api/backends/${encodeURIComponent(id)}/state`;
    this.#later(() => this.#set("the balancer", `state ${state} of ${id}`, path, { state }));
  }

  /** Begins a fault. It ends by itself, at the latest a minute after the run. */
  #hurt({ backend: index, for: duration }: BackendFault, kind: ServerFault): void {
    const { id } = this.backends[index]!;
    const { scenario: { end }, alarms } = this.#context;
    const rest = "duration" in end ? end.duration - alarms.now() + AFTER_RUN : FAULT_MAX;
    const time = formatDuration(Math.min(duration, Math.ceil(rest / NS_PER_S) * NS_PER_S));
    const words = String(kind.name);
    this.#changes.set(`fault of ${id}`, {
      left: `${id} keeps the fault ${words} for at most ${time}; ` +
        `lbsim ctl --config ${this.#lan.options.file} fault ${id} --end ends it`,
      undo: () => this.#undoing(id).ask("DELETE", "/api/fault", undefined, UNDO_MS),
    });
    const client = this.#lan.backend(id, this.#ended.signal);
    this.#later(() => client.ask("PUT", "/api/fault", { kind: writtenFault(kind), for: time }));
  }

  /** Sends a request to the API, after the requests before it have ended. */
  #later(ask: () => Promise<unknown>): void {
    this.#requests = this.#requests.then(ask).catch((error) => this.#fail(error));
  }

  #fail(error: unknown): void {
    if (!this.#ended.signal.aborted) this.#context.onFailed(error);
  }

  /** Asks a backend to continue. A failure has no effect while the backend continues. */
  async #continue(backend: LanBackend): Promise<void> {
    try {
      await this.#renew(backend);
    } catch (error) {
      const isTold = !(error instanceof Unreachable);
      if (isTold || monotonicNow() - backend.renewedAt > LEASE / 2) this.#fail(error);
    }
  }

  async #renew(backend: LanBackend): Promise<void> {
    const client = this.#lan.backend(backend.id, this.#ended.signal);
    this.#learn(backend, await serviceOf(client, backend.id, backend.wanted));
    backend.renewedAt = monotonicNow();
  }

  /** @throws {UserError} if the backend has been restarted. */
  #learn(backend: LanBackend, { service }: ServiceAnswer): void {
    if (service === null || backend.told !== undefined && service.run !== backend.told.run) {
      throw new UserError(
        `${backend.id} has stopped serving the scenario: it was restarted, or asked to stop`,
      );
    }
    backend.told = service;
    backend.toldAt = monotonicNow();
  }

  /** Reads the events of the balancer, and the state of the backends in them. */
  async #follow(): Promise<void> {
    const opened = Promise.withResolvers<void>();
    this.#reading = this.#read(opened.resolve).catch((error) => {
      opened.reject(error);
      this.#fail(error);
    });
    await opened.promise;
    const asked = monotonicNow();
    const { at_ms, backends } = await this.#balancer().ask("GET", "/api/status") as Snapshot;
    // The request and the answer take about the same time, so the balancer read its clock halfway
    // between.
    this.#epoch = Math.round((asked + monotonicNow()) / 2 - at_ms * NS_PER_MS);
    for (const { id, health } of backends) {
      if (health.state !== "up") continue;
      const active_servers = backends.map((one) => one.id);
      this.#emit({ type: "backend_up", at_ms: 0, backend: id, probes: 1, active_servers });
    }
  }

  async #read(opened: () => void): Promise<void> {
    const client = this.#balancer();
    try {
      for await (const { event, data } of client.events("/api/events?connections=true", opened)) {
        if (event === "lost") {
          throw new UserError(
            "events of the balancer are missing: they came faster than they were read",
          );
        }
        this.#take(JSON.parse(data) as LbEvent);
      }
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      throw new UserError(
        `the balancer at ${client.place} has closed the stream of its events: ` +
          "it was stopped or restarted, or the network failed",
        { cause: error },
      );
    }
  }

  #take(event: LbEvent): void {
    const now = this.#context.alarms.now();
    const age = monotonicNow() - this.#epoch - event.at_ms * NS_PER_MS;
    // Events before the start of the run are not measured: their time becomes 0.
    const at_ms = Math.max(0, now - age) / NS_PER_MS;
    switch (event.type) {
      case "connection_opened":
        this.#count(event.connection, event.backend);
        break;
      case "connection_closed":
        this.#open.get(event.connection)?.flights.count(-1);
        this.#open.delete(event.connection);
        break;
      case "backend_mode_changed": {
        const index = this.backends.findIndex(({ id }) => id === event.backend);
        if (index >= 0) this.#modes[index] = event.mode;
      }
    }
    this.#emit({ ...event, at_ms });
  }

  #count(connection: number, id: string): void {
    const backend = this.backends.find((one) => one.id === id);
    if (backend === undefined) return;
    this.#open.set(connection, backend);
    backend.flights.count(1);
  }

  #emit(event: LbEvent): void {
    this.#context.streams[0]!.emit(event);
  }
}
