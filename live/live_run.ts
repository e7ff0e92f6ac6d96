import { isDeepStrictEqual } from "node:util";
import { Balancer } from "../lb/mod.ts";
import {
  BackendNames,
  type ErrorKind,
  run,
  RunClock,
  SessionLoad,
  type SessionOutcome,
  type SessionRequest,
  Tally,
} from "../bench/mod.ts";
import {
  type Address,
  assert,
  childSeed,
  createRandom,
  type Nanoseconds,
  NS_PER_MS,
  NS_PER_S,
  parsePrefix,
} from "../lib/base/mod.ts";
import type { Config } from "../lib/config/mod.ts";
import {
  type BackendMode,
  type ConnectionMeter,
  EventStream,
  type MeteredBackend,
  type ReaderFailure,
  takesClients,
} from "../lib/core/mod.ts";
import { Alarms, monotonicNow } from "../lib/io/mod.ts";
import type { ReplicationResult } from "../lib/metrics/mod.ts";
import type { BackendFault, Change, Fault, Scenario } from "../lib/scenario/types.ts";
import { Chances, Demand, jobLine } from "../lib/workload/mod.ts";
import {
  type CumulativeTotals,
  HealthLog,
  isPlanned,
  type Outcome,
  readTotals,
  Recorder,
  replicationResult,
  SERIES_BACKENDS_MAX,
  SLICES,
  Spread,
  TimeSeries,
} from "../sim/measure/mod.ts";
import { createNetwork, type Network, placed, serversById } from "../sim/model/mod.ts";
import { type ReadyScenario, sliceOf } from "../sim/study/mod.ts";
import { ClientNetwork } from "./client_network.ts";
import { JOBS } from "./jobs.ts";
import { LabDashboard } from "./lab_dashboard.ts";
import { ScenarioBackend } from "./scenario_backend.ts";

/** Options of a live run. */
export interface LiveRunOptions {
  /** Ends the run at once; the result is then what was measured until then. */
  readonly signal: AbortSignal;
  /** Whether to record a time series. */
  readonly series: boolean;
  /** Called with the time since the start of the run and the number of requests that have ended. */
  readonly progress?: ((elapsed: Nanoseconds, ended: number) => void) | undefined;
  /** Is given the events of each balancer before the run begins. */
  readonly observe?: ((events: EventStream, balancer: number) => void) | undefined;
  /** Whether the first balancer has a dashboard. It must not be restarted by a fault. */
  readonly dashboard?: boolean | undefined;
  /** Called when everything is ready, before clients begin. */
  readonly ready?: ((lab: LiveLab) => void) | undefined;
  /** An attempt at a request has ended. */
  readonly attempted?: ((request: SessionRequest, outcome: SessionOutcome) => void) | undefined;
  /** Called before a fault begins, and after it has ended. */
  readonly faultChanges?: ((fault: Fault, change: "begins" | "ended") => void) | undefined;
  /** Called at the end of the duration: clients go on until it resolves. */
  readonly beforeEnd?: (() => Promise<void>) | undefined;
}

/** What runs in a live run. */
export interface LiveLab {
  /** The first balancer. */
  readonly balancer: Balancer;
  readonly dashboard?: { readonly url: string; readonly token: string };
}

/** The result of a live run, and how well this machine kept its times. */
export interface LiveRunResult {
  readonly result: ReplicationResult;
  /** Whether the signal ended it before its time. */
  readonly isInterrupted: boolean;
  /** How late requests of arrivals began, after the moments at which they were due. */
  readonly lateness: { readonly mean: Nanoseconds; readonly max: Nanoseconds };
}

/** How long it waits after the end for requests that have not ended, at most. */
const PATIENCE: Nanoseconds = 10 * NS_PER_S;
const PROGRESS_EVERY_MS = 200;
/** Clients of a run come from here, as if through a proxy, and name themselves. */
const LOOPBACK = parsePrefix("127.0.0.0/8");
const LISTEN: Address = { host: "127.0.0.1", port: 0 };
/** A busy machine may take its time. */
const PROXY_TIMEOUT: Nanoseconds = 60 * NS_PER_S;
/** The modes that an operator can set, the strictest last. */
const MODES: readonly BackendMode[] = ["ready", "drain", "maintenance"];

/**
 * One replication of a scenario on real sockets of this machine, in real time: backends, balancers, clients
 * and faults, with the draws that `simulate` makes of the same seed.
 *
 * @throws The signal's reason, when it is aborted before clients begin.
 * @throws {UserError} if a socket cannot be opened.
 */
export async function runLive(
  scenario: ReadyScenario,
  seed: number,
  options: LiveRunOptions,
): Promise<LiveRunResult> {
  return await new LiveRun(scenario, seed, options).run();
}

const encoder = new TextEncoder();

class LiveRun {
  readonly recorder: Recorder;
  readonly backends: readonly ScenarioBackend[];
  /** That of the present: its settings may change during the run. */
  #scenario: ReadyScenario;
  /** By balancer. */
  #configs: readonly Config[];
  readonly #seed: number;
  readonly #options: LiveRunOptions;
  readonly #alarms: Alarms;
  readonly #balancers: (Balancer | undefined)[];
  readonly #streams: readonly EventStream[];
  readonly #failures: ReaderFailure[] = [];
  readonly #links: Network;
  readonly #network: ClientNetwork;
  readonly #load: SessionLoad;
  readonly #health: HealthLog;
  readonly #spread: Spread;
  readonly #series: TimeSeries | undefined;
  /** By client: how often it was refused and has not noticed yet. */
  readonly #refusals = new Map<string, number>();
  /** By client: how long its connections waited for a backend that has room. */
  readonly #queued = new Map<string, Nanoseconds[]>();
  /** By attempt that is in progress: the backend that got it. */
  readonly #backendOf = new Map<string, number>();
  readonly #active = new Set<Fault>();
  readonly #stopping: Promise<unknown>[] = [];
  readonly #clock = new RunClock(monotonicNow);
  readonly #failing = new AbortController();
  #attempts = 0;
  #warm: CumulativeTotals | undefined;
  #end: CumulativeTotals | undefined;
  #dashboard: LabDashboard | undefined;

  constructor(scenario: ReadyScenario, seed: number, options: LiveRunOptions) {
    const { loadBalancers, network, workload } = scenario;
    const balancer = configOf(scenario);
    this.#scenario = scenario;
    this.#seed = seed;
    this.#options = options;
    this.recorder = new Recorder(workload.timeout);
    this.#alarms = new Alarms(() => Math.max(0, this.#clock.now()));
    this.#links = createNetwork(network, seed);
    const context = {
      alarms: this.#alarms,
      balancers: loadBalancers,
      expected: balancer.healthCheck.expect ?? "",
      random: createRandom(childSeed(seed, "probe failures")),
      latency: () => this.#links.backend.delay(),
      onJob: (id: string, backend: number) => this.#backendOf.set(id, backend),
      onFailed: (error: unknown) => this.#failing.abort(error),
    };
    this.backends = serversById(scenario).map(([id, options], index) =>
      new ScenarioBackend(id, index, options, context)
    );
    this.#configs = this.#liveConfigs();
    this.#health = new HealthLog(
      this.backends,
      loadBalancers,
      scenario.faults,
      balancer.healthCheck.timeout,
    );
    this.#balancers = Array.from({ length: loadBalancers }, () => undefined);
    this.#streams = this.#balancers.map((_, index) => this.#stream(index));
    this.#spread = new Spread(
      this.backends,
      () => {
        const { backends } = configOf(this.#scenario);
        const configured = new Map(backends.map((backend) => [backend.id, backend]));
        return this.backends.map(({ id }) => {
          const { weight = 0, backup = false, mode } = configured.get(id) ?? {};
          const present = this.#balancers[0]?.scheduler.backend(id)?.mode ?? mode;
          const eligible = present !== undefined && takesClients({ weight, backup, mode: present });
          return { weight, eligible };
        });
      },
    );
    this.#series = options.series ? new TimeSeries(sliceOf(scenario), SLICES) : undefined;
    const chances = new Chances(seed);
    this.#network = new ClientNetwork({
      alarms: this.#alarms,
      latency: () => this.#links.client.delay(),
      balancer: ({ origin, nth, attempt }) => {
        const index = chances.balancer(origin, nth, attempt, loadBalancers);
        return this.#balancers[index]?.address;
      },
    });
    this.#load = this.#clients(new Demand(scenario, seed), chances);
  }

  #liveConfigs(): Config[] {
    const config = configOf({
      ...this.#scenario,
      balancer: placed(this.#scenario, this.#seed),
    });
    return Array.from(
      { length: this.#scenario.loadBalancers },
      (_, index) => liveConfig(config, this.backends, index, this.#dashboard?.backends),
    );
  }

  /** The clients: those of the simulator, on sockets. */
  #clients(demand: Demand, chances: Chances): SessionLoad {
    const { workload, end, warmup } = this.#scenario;
    return new SessionLoad({
      // The network decides where connections go.
      address: LISTEN,
      proxy: "v1",
      payload: JOBS,
      timeout: workload.timeout,
      retries: workload.retries.max,
      now: this.#alarms.now,
      timers: (ring) => this.#alarms.alarm(ring),
      dial: (options, _from, client, signal, request) =>
        this.#network.dial(options, client, signal, request!),
      demand,
      until: this.#duration,
      ..."connections" in end && { connections: end.connections },
      countedFrom: warmup,
      pauseAfterFailure: 0,
      client: (index) => this.#load.demand.population.address(index),
      request: (request) => {
        const { origin, nth, attempt } = request;
        const line = jobLine({
          id: idOf(request),
          work: this.#load.demand.work(origin, nth),
          fastDraw: chances.fastError(origin, nth, attempt),
          failDraw: chances.failure(origin, nth, attempt),
        });
        return encoder.encode(`${line}\n`);
      },
      began: ({ due }, connects) => {
        if (due < warmup) return;
        this.recorder.requests.offered++;
        if (connects) this.recorder.connections++;
      },
      attempted: (request, outcome) => this.#attempted(request, outcome),
      stopped: () => this.#endMeasurement(),
    }, new Tally(new BackendNames()));
  }

  async run(): Promise<LiveRunResult> {
    const { progress, ready } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, this.#failing.signal]);
    let shown: ReturnType<typeof setInterval> | undefined;
    try {
      await this.#openDashboard();
      for (let index = 0; index < this.#balancers.length; index++) await this.#startBalancer(index);
      const [balancer] = this.#balancers as [Balancer];
      const url = await this.#dashboard?.serve(balancer);
      signal.throwIfAborted();
      const { token } = this.#dashboard ?? {};
      ready?.({
        balancer,
        ...url !== undefined && token !== undefined && { dashboard: { url, token } },
      });
      await run(this.#load, this.#clock, {
        duration: this.#duration,
        patience: PATIENCE,
        signal,
        alarms: this.#alarms,
        started: () => {
          this.#schedule();
          shown = setInterval(
            () => progress?.(this.#alarms.now(), this.recorder.completions),
            PROGRESS_EVERY_MS,
          );
        },
      });
      this.#failing.signal.throwIfAborted();
      return this.#result();
    } finally {
      clearInterval(shown);
      await this.#close();
    }
  }

  /** When clients stop; Infinity if something else decides it. */
  get #duration(): Nanoseconds {
    const { end } = this.#scenario;
    return "duration" in end && this.#options.beforeEnd === undefined ? end.duration : Infinity;
  }

  async #openDashboard(): Promise<void> {
    if (!this.#options.dashboard) return;
    const faults = this.backends.map((backend) => backend.faults);
    this.#dashboard = await LabDashboard.open(faults, this.#streams[0]!, this.#alarms.now);
    this.#configs = this.#liveConfigs();
  }

  #schedule(): void {
    const { warmup, faults, end, changes = [] } = this.#scenario;
    const { beforeEnd } = this.#options;
    const at = (moment: Nanoseconds, act: () => void) => this.#alarms.alarm(act).set(moment);
    at(warmup, () => this.#warm = this.#totals());
    changes.forEach((change, i) => at(change.at, () => this.#goOnWith(change, i + 1)));
    for (const fault of faults) {
      at(fault.at, () => this.#beginFault(fault));
      if (fault.for !== Infinity) at(fault.at + fault.for, () => this.#endFault(fault));
    }
    if (beforeEnd !== undefined && "duration" in end) {
      const stop = () => this.#load.stop();
      const fail = (error: unknown) => this.#failing.abort(error);
      at(end.duration, () => void beforeEnd().then(stop, fail));
    }
    if (this.#series !== undefined) this.#slice(this.#series);
  }

  #slice(series: TimeSeries): void {
    series.add(readTotals(this, this.#health, this.#alarms.now(), SERIES_BACKENDS_MAX));
    if (this.#end !== undefined) return;
    this.#alarms.alarm(() => this.#slice(series)).set(series.nextAt);
  }

  #attempted(request: SessionRequest, outcome: SessionOutcome): void {
    this.#record(request, outcome);
    this.#options.attempted?.(request, outcome);
  }

  #record(request: SessionRequest, { error, waited, at, isLast }: SessionOutcome): void {
    const { recorder } = this;
    const { due } = request;
    const client = this.#load.demand.population.address(request.client);
    const outcome = this.#outcomeOf(error, client);
    const id = idOf(request);
    const backend = this.#backendOf.get(id);
    const isMeasured = due >= this.#scenario.warmup;
    this.#attempts++;
    this.#backendOf.delete(id);
    if (outcome === "done") recorder.completions++;
    const queued = outcome === "done" ? this.#queued.get(client)?.shift() ?? 0 : 0;
    if (!isMeasured) return;
    if (outcome === "done") recorder.requestDone(at - due, queued + waited!);
    else if (isLast) recorder.requests[outcome]++;
    else recorder.requests.retried++;
    if (backend === undefined || outcome === "refused") return;
    const { [backend]: its } = this.backends;
    if (outcome === "done") its!.done++;
    else its!.failed++;
  }

  #outcomeOf(error: ErrorKind | undefined, client: string): Outcome {
    if (error === undefined) return "done";
    if (error === "timeout") return "timedOut";
    if (error === "refused") {
      if (this.#alarms.now() >= this.#scenario.warmup) {
        this.recorder.clientRefused("balancer_down");
      }
      return "refused";
    }
    return error !== "failed" && this.#wasRefused(client) ? "refused" : "failed";
  }

  #endMeasurement(): void {
    if (this.#end !== undefined) return;
    this.#end = this.#totals();
    this.#warm ??= this.#end;
  }

  #totals(): CumulativeTotals {
    return readTotals(this, this.#health, this.#alarms.now());
  }

  #result(): LiveRunResult {
    const isInterrupted = this.#end === undefined;
    this.#endMeasurement();
    const [from, to] = [this.#warm, this.#end];
    assert(from !== undefined && to !== undefined, "a run that is over has had its window");
    const { recorder, backends } = this;
    const { count, sum, max } = this.#load.tally.lag;
    return {
      result: replicationResult({
        seed: this.#seed,
        events: this.#attempts,
        from,
        to,
        endedAt: this.#alarms.now(),
        recorder,
        backends,
        balancers: this.#balancers.length,
        spread: this.#spread,
        health: this.#health,
        readerFailures: this.#failures,
        series: this.#series,
      }),
      isInterrupted,
      lateness: { mean: count === 0 ? 0 : sum / count, max },
    };
  }

  async #close(): Promise<void> {
    await this.#load.close();
    this.#network.close();
    await this.#dashboard?.stop();
    this.#alarms.clear();
    this.#balancers.forEach((_, index) => this.#stopBalancer(index));
    await Promise.all(this.#stopping);
    await Promise.all(this.backends.map((backend) => backend.close()));
  }

  #stream(index: number): EventStream {
    const stream = new EventStream((failure) => this.#failures.push(failure));
    const { recorder } = this;
    const isMeasured = () => this.#alarms.now() >= this.#scenario.warmup;
    stream.meter = new Flights((id, change) => this.#backend(id).count(change));
    stream.subscribe("live", ["connection_opened"], ({ backend, attempt, since_arrival_ms }) => {
      if (!isMeasured()) return;
      this.#backend(backend).reached++;
      if (attempt > 1) recorder.failover.record(Math.round(since_arrival_ms * NS_PER_MS));
    });
    stream.subscribe("live", ["connection_refused"], ({ client, reason }) => {
      if (isMeasured()) recorder.clientRefused(reason);
      this.#refusals.set(client, (this.#refusals.get(client) ?? 0) + 1);
    });
    stream.subscribe("live", ["connection_dequeued"], ({ client, waited_ms }) => {
      const waits = this.#queued.get(client) ?? [];
      this.#queued.set(client, [...waits, Math.round(waited_ms * NS_PER_MS)]);
    });
    stream.subscribe("live", ["connection_closed"], ({ end }) => {
      if (end === "idle_timeout" && isMeasured()) recorder.idleCuts++;
    });
    stream.subscribe("live", ["session_moved"], ({ why }) => recorder.sessionsMoved[why]++);
    stream.subscribe("live", ["backend_up", "backend_down"], ({ type, backend }) => {
      const up = type === "backend_up";
      this.#health.changed(index, this.#backend(backend).index, up, this.#alarms.now());
    });
    this.#options.observe?.(stream, index);
    if (index === 0) {
      stream.subscribe("live", ["backend_mode_changed"], () => this.#spread.modeChanged());
    }
    return stream;
  }

  #backend(id: string): ScenarioBackend {
    return this.backends.find((backend) => backend.id === id)!;
  }

  #wasRefused(client: string): boolean {
    const count = this.#refusals.get(client) ?? 0;
    if (count > 0) this.#refusals.set(client, count - 1);
    return count > 0;
  }

  async #startBalancer(index: number): Promise<void> {
    this.#balancers[index] = await Balancer.start(this.#configs[index]!, {
      events: this.#streams[index]!,
      now: () => this.#alarms.now(),
      seed: childSeed(this.#seed, "balancer", index),
      ...index === 0 && { monitor: this.#dashboard?.monitor.monitor },
      signal: this.#options.signal,
    });
  }

  /** Goes on with other settings, as the simulator does. */
  #goOnWith({ at, to }: Change, change: number): void {
    const before = this.#scenario;
    const { faults, end, warmup, loadBalancers, changes } = before;
    this.#scenario = { ...to, faults, end, warmup, loadBalancers, changes: changes! };
    const { balancer, servers, network, workload } = to;
    this.#links.client.change(network.clientLatency);
    this.#links.backend.change(network.backendLatency);
    balancer.backends.forEach(({ id }, i) => this.#backend(id).change(servers[i]!));
    this.recorder.patience = workload.timeout;
    const { demand } = this.#load;
    this.#load.change({
      demand: new Demand(to, this.#seed, { demand, at, change }),
      timeout: workload.timeout,
      retries: workload.retries.max,
    });
    if (!isDeepStrictEqual(before.balancer, balancer)) this.#reconfigure();
    this.#spread.modeChanged();
  }

  /** The balancers have another configuration. */
  #reconfigure(): void {
    this.#configs = this.#liveConfigs();
    this.#balancers.forEach((balancer, index) => {
      if (balancer === undefined) return;
      // It is in force at once; new backends are probed first.
      balancer.reload(this.#configs[index]!).catch((error) => this.#failing.abort(error));
      this.#setModes(balancer);
    });
  }

  /** Sets the backends that have a planned fault at present to the mode that it asks for. */
  #setModes(balancer: Balancer): void {
    for (const fault of this.#active) {
      if ("backend" in fault && isPlanned(fault.kind)) this.#setMode(balancer, fault.backend);
    }
  }

  #beginFault(fault: Fault): void {
    this.#options.faultChanges?.(fault, "begins");
    this.#active.add(fault);
    if ("loadBalancer" in fault) {
      this.#health.balancerRestarted(fault.loadBalancer, this.#alarms.now());
      this.#stopBalancer(fault.loadBalancer);
    } else this.#change(fault, 1);
    this.#health.faultBegins(fault);
  }

  #endFault(fault: Fault): void {
    this.#active.delete(fault);
    if ("backend" in fault) this.#change(fault, -1);
    else this.#restartBalancer(fault.loadBalancer);
    this.#health.faultEnds(fault);
    this.#options.faultChanges?.(fault, "ended");
  }

  /** A fault of a backend begins or ends. What has a time of its own ends by itself. */
  #change(fault: BackendFault, change: 1 | -1): void {
    const { kind, backend: index } = fault;
    const backend = this.backends[index]!;
    switch (kind.name) {
      case "partition":
        backend.cut(fault, change);
        break;
      case "drain":
      case "maintenance":
        this.#balancers.forEach((balancer) => balancer && this.#setMode(balancer, index));
        break;
      default:
        if (change === 1) void backend.faults.begin(kind, fault.for);
    }
  }

  /** Sets a backend to the strictest mode that the configuration or a present fault asks for. */
  #setMode({ scheduler }: Balancer, index: number): void {
    const { id } = this.backends[index]!;
    const configured = configOf(this.#scenario).backends.find((backend) => backend.id === id);
    if (configured === undefined) return;
    let strictest = MODES.indexOf(configured.mode);
    for (const fault of this.#active) {
      if (!("backend" in fault) || fault.backend !== index) continue;
      strictest = Math.max(strictest, MODES.indexOf(fault.kind.name as BackendMode));
    }
    scheduler.setMode(id, MODES[strictest]!, this.#alarms.now());
  }

  #stopBalancer(index: number): void {
    const balancer = this.#balancers[index];
    this.#balancers[index] = undefined;
    if (balancer !== undefined) this.#stopping.push(balancer.stop(AbortSignal.abort()));
  }

  /** It listens after every backend was probed once, unless another fault stops it. */
  #restartBalancer(index: number): void {
    const isStopped = [...this.#active].some((fault) =>
      "loadBalancer" in fault && fault.loadBalancer === index
    );
    if (isStopped || this.#balancers[index] !== undefined) return;
    this.#startBalancer(index).then(
      () => this.#setModes(this.#balancers[index]!),
      (error) => this.#failing.abort(error),
    );
  }
}

/** Identifies an attempt. */
function idOf({ origin, nth, attempt }: SessionRequest): string {
  return `${origin}.${nth}.${attempt}`;
}

/** A scenario from a file has the whole configuration of its balancers. */
function configOf({ balancer }: Scenario): Config {
  return balancer as Config;
}

/** Follows the number of connections in flight. */
class Flights implements ConnectionMeter {
  readonly #count: (backend: string, change: 1 | -1) => void;

  constructor(count: (backend: string, change: 1 | -1) => void) {
    this.#count = count;
  }

  picked({ id }: MeteredBackend): void {
    this.#count(id, 1);
  }

  connectFailed({ id }: MeteredBackend): void {
    this.#count(id, -1);
  }

  closed({ id }: MeteredBackend): void {
    this.#count(id, -1);
  }

  arrived(): void {}
  left(): void {}
  opened(): void {}
  answered(): void {}
  refused(): void {}
  queued(): void {}
}

/**
 * The configuration of the balancers: as the scenario says, on loopback. Clients come through a proxy that
 * names them, because loopback does not have the addresses of the simulated clients.
 */
function liveConfig(
  config: Config,
  backends: readonly ScenarioBackend[],
  balancer: number,
  admins: readonly Address[] | undefined,
): Config {
  const { tls: _tls, backendTls: _backendTls, ...rest } = config;
  return {
    ...rest,
    listen: LISTEN,
    backends: config.backends.map((backend) => {
      const { index, addresses } = backends.find(({ id }) => id === backend.id)!;
      return {
        ...backend,
        address: addresses[balancer]!,
        ...admins !== undefined && { admin: admins[index]! },
      };
    }),
    proxyProtocol: { acceptFrom: [LOOPBACK], send: "off", timeout: PROXY_TIMEOUT },
    admin: { ...config.admin, listen: "off" },
  };
}
