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
import { type Address, type Nanoseconds, NS_PER_MS, NS_PER_S } from "../lib/base/mod.ts";
import { EventStream, type ReaderFailure, takesClients } from "../lib/core/mod.ts";
import { Alarms, monotonicNow } from "../lib/io/mod.ts";
import type { ReplicationResult } from "../lib/metrics/mod.ts";
import type { Change, Fault } from "../lib/scenario/types.ts";
import { Chances, Demand, jobLine } from "../lib/workload/mod.ts";
import {
  type CumulativeTotals,
  HealthLog,
  type MeasuredBackend,
  type Outcome,
  readTotals,
  Recorder,
  replicationResult,
  SERIES_BACKENDS_MAX,
  SLICES,
  Spread,
  TimeSeries,
} from "../sim/measure/mod.ts";
import { createNetwork, type Network } from "../sim/model/mod.ts";
import { type ReadyScenario, sliceOf } from "../sim/study/mod.ts";
import { ClientNetwork } from "./client_network.ts";
import { JOBS } from "./jobs.ts";
import { configOf, type LiveSystem, type MakeSystem } from "./live_system.ts";
import { LocalSystem } from "./local_system.ts";

/** Options of a live run. */
export interface LiveRunOptions {
  /** Ends the run at once; the result then has the measurements so far. */
  readonly signal: AbortSignal;
  /** Whether to record a time series. */
  readonly series: boolean;
  /** Called with the time since the start of the run and the number of requests that have ended. */
  readonly progress?: ((elapsed: Nanoseconds, ended: number) => void) | undefined;
  /** Makes the balancers and backends. If left out, they are in this process. */
  readonly system?: MakeSystem | undefined;
  /** Called with the events of each balancer before the run begins. */
  readonly observe?: ((events: EventStream, balancer: number) => void) | undefined;
  /** An attempt at a request has ended. */
  readonly attempted?: ((request: SessionRequest, outcome: SessionOutcome) => void) | undefined;
  /** Called before a fault begins, and after it has ended. */
  readonly faultChanges?: ((fault: Fault, change: "begins" | "ended") => void) | undefined;
  /** Called at the end of the duration. Clients continue until it resolves. */
  readonly beforeEnd?: (() => Promise<void>) | undefined;
}

/** The result of a live run, and how well this machine kept its times. */
export interface LiveRunResult {
  readonly result: ReplicationResult;
  /** Whether the signal ended the run before its end. */
  readonly isInterrupted: boolean;
  /** How late requests of arrivals began, after the moments at which they were due. */
  readonly lateness: { readonly mean: Nanoseconds; readonly max: Nanoseconds };
}

/** The longest time that the run waits after its end for requests that have not ended. */
const PATIENCE: Nanoseconds = 10 * NS_PER_S;
const PROGRESS_EVERY_MS = 200;
/** The network decides where connections go. */
const ANYWHERE: Address = { host: "127.0.0.1", port: 0 };

/**
 * One replication of a scenario on real sockets, in real time: backends, balancers, clients and faults, with the draws that `simulate` makes of the same seed.
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
  readonly backends: readonly MeasuredBackend[];
  /** The present scenario: its settings may change during the run. */
  #scenario: ReadyScenario;
  readonly #seed: number;
  readonly #options: LiveRunOptions;
  readonly #alarms: Alarms;
  readonly #system: LiveSystem;
  readonly #streams: readonly EventStream[];
  readonly #failures: ReaderFailure[] = [];
  readonly #links: Network;
  readonly #network: ClientNetwork;
  readonly #load: SessionLoad;
  readonly #health: HealthLog;
  readonly #spread: Spread;
  readonly #series: TimeSeries | undefined;
  /** For each client: the number of refusals that it has not noticed yet. */
  readonly #refusals = new Map<string, number>();
  /** For each client: how long its connections waited for a backend with a free place. */
  readonly #queued = new Map<string, Nanoseconds[]>();
  /** The readings that have not ended. */
  readonly #reading: Promise<unknown>[] = [];
  readonly #clock = new RunClock(monotonicNow);
  readonly #failing = new AbortController();
  #attempts = 0;
  #isOver = false;
  #warm: CumulativeTotals | undefined;
  #end: CumulativeTotals | undefined;

  constructor(scenario: ReadyScenario, seed: number, options: LiveRunOptions) {
    const { loadBalancers, network, workload } = scenario;
    const balancer = configOf(scenario);
    this.#scenario = scenario;
    this.#seed = seed;
    this.#options = options;
    this.recorder = new Recorder(workload.timeout);
    this.#alarms = new Alarms(() => Math.max(0, this.#clock.now()));
    this.#links = createNetwork(network, seed);
    this.#streams = Array.from({ length: loadBalancers }, (_, index) => this.#stream(index));
    const makeSystem = options.system ?? ((context) => new LocalSystem(context));
    this.#system = makeSystem({
      ...{ scenario, seed, alarms: this.#alarms, streams: this.#streams, signal: options.signal },
      onFailed: (error) => this.#failing.abort(error),
    });
    this.backends = this.#system.backends;
    this.#health = new HealthLog(
      this.backends,
      loadBalancers,
      scenario.faults,
      balancer.healthCheck.timeout,
    );
    this.#spread = new Spread(this.backends, () => {
      const { backends } = configOf(this.#scenario);
      const configured = new Map(backends.map((backend) => [backend.id, backend]));
      return this.backends.map(({ id, index }) => {
        const { weight = 0, backup = false, mode } = configured.get(id) ?? {};
        const present = this.#system.modeOf(index) ?? mode;
        const eligible = present !== undefined && takesClients({ weight, backup, mode: present });
        return { weight, eligible };
      });
    });
    this.#series = options.series ? new TimeSeries(sliceOf(scenario), SLICES) : undefined;
    const chances = new Chances(seed);
    this.#network = new ClientNetwork({
      alarms: this.#alarms,
      latency: () => this.#system.hasLatency ? 0 : this.#links.client.delay(),
      balancer: ({ origin, nth, attempt }) => {
        const index = chances.balancer(origin, nth, attempt, loadBalancers);
        return this.#system.addressOf(index);
      },
    });
    this.#load = this.#clients(new Demand(scenario, seed), chances);
  }

  /** The clients on sockets, with the draws of the simulator. */
  #clients(demand: Demand, chances: Chances): SessionLoad {
    const { workload, end, warmup } = this.#scenario;
    return new SessionLoad({
      address: ANYWHERE,
      ...this.#system.clientAddress === undefined && { proxy: "v1" },
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
    const { progress } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, this.#failing.signal]);
    let shown: ReturnType<typeof setInterval> | undefined;
    try {
      await this.#system.start();
      signal.throwIfAborted();
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
      // If the last request ended before the end of the duration, nothing has ended the measurement
      // yet.
      this.#endMeasurement();
      if (!signal.aborted) await this.#allReported();
      this.#failing.signal.throwIfAborted();
      return this.#result();
    } finally {
      clearInterval(shown);
      await this.#close();
    }
  }

  /** When clients stop; Infinity if not the duration ends the run. */
  get #duration(): Nanoseconds {
    const { end } = this.#scenario;
    return "duration" in end && this.#options.beforeEnd === undefined ? end.duration : Infinity;
  }

  #schedule(): void {
    const { warmup, faults, end, changes = [] } = this.#scenario;
    const { beforeEnd } = this.#options;
    const at = (moment: Nanoseconds, act: () => void) => this.#alarms.alarm(act).set(moment);
    at(warmup, () => this.#readTotals((totals) => this.#warm = totals));
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
    if (this.#isOver) return;
    void this.#refresh();
    this.#alarms.alarm(() => this.#slice(series)).set(series.nextAt);
  }

  #attempted(request: SessionRequest, outcome: SessionOutcome): void {
    this.#attempts++;
    const named = this.backends.findIndex(({ id }) => id === outcome.backend);
    const backend = this.#system.takeBackendOf(idOf(request)) ??
      (named === -1 ? undefined : named);
    const { eventsLate } = this.#system;
    const record = () => this.#record(request, outcome, backend);
    // The balancer may report an event of this attempt later.
    if (eventsLate > 0 && this.#needsEvents(outcome)) {
      this.#alarms.alarm(record).set(this.#alarms.now() + eventsLate);
    } else record();
    this.#options.attempted?.(request, outcome);
  }

  /**
   * Whether an event of the balancer is needed to understand an attempt: why its connection was closed, or how long it
   * waited in the queue.
   */
  #needsEvents({ error }: SessionOutcome): boolean {
    if (error === undefined) return configOf(this.#scenario).queue !== undefined;
    return error !== "timeout" && error !== "refused" && error !== "failed";
  }

  #record(
    request: SessionRequest,
    { error, waited, at, isLast }: SessionOutcome,
    backend: number | undefined,
  ): void {
    const { recorder } = this;
    const { due } = request;
    const client = this.#system.clientAddress ??
      this.#load.demand.population.address(request.client);
    const outcome = this.#outcomeOf(error, client);
    const isMeasured = due >= this.#scenario.warmup;
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
    if (this.#isOver) return;
    this.#isOver = true;
    this.#readTotals((totals) => this.#end = totals);
  }

  /** Reads the present totals, or, if backends must be asked first, the totals at their answers. */
  #readTotals(read: (totals: CumulativeTotals) => void): void {
    const now = () => read(readTotals(this, this.#health, this.#alarms.now()));
    if (this.#system.refresh === undefined) return now();
    this.#reading.push(this.#refresh().then(now));
  }

  async #refresh(): Promise<void> {
    try {
      await this.#system.refresh?.();
    } catch (error) {
      this.#failing.abort(error);
    }
  }

  /** Waits for the outstanding reports of the balancers and backends. */
  async #allReported(): Promise<void> {
    const { eventsLate } = this.#system;
    if (eventsLate > 0) await this.#alarms.until(this.#alarms.now() + 2 * eventsLate);
    await Promise.all(this.#reading);
  }

  #result(): LiveRunResult {
    const to = this.#end ?? readTotals(this, this.#health, this.#alarms.now());
    const from = this.#warm ?? to;
    const isInterrupted = this.#options.signal.aborted;
    const { recorder, backends } = this;
    // Requests that the signal cut off are no failures: they are left out.
    if (isInterrupted) recorder.requests.offered -= recorder.inFlight;
    const { count, sum, max } = this.#load.tally.lag;
    const result = replicationResult({
      seed: this.#seed,
      events: this.#attempts,
      from,
      to,
      endedAt: this.#alarms.now(),
      recorder,
      backends,
      balancers: this.#streams.length,
      spread: this.#spread,
      health: this.#health,
      readerFailures: this.#failures,
      series: this.#series,
    });
    return {
      // A fault that had not begun could not be detected, so it is left out.
      result: { ...result, faults: result.faults.filter(({ at }) => at < to.at) },
      isInterrupted,
      lateness: { mean: count === 0 ? 0 : sum / count, max },
    };
  }

  async #close(): Promise<void> {
    await this.#load.close();
    this.#network.close();
    this.#isOver = true;
    this.#alarms.clear();
    await this.#system.close();
  }

  #stream(index: number): EventStream {
    const stream = new EventStream((failure) => this.#failures.push(failure));
    const { recorder } = this;
    const isMeasured = (at_ms: number) => at_ms * NS_PER_MS >= this.#scenario.warmup;
    stream.subscribe(
      "live",
      ["connection_opened"],
      ({ at_ms, backend, attempt, since_arrival_ms }) => {
        if (!isMeasured(at_ms)) return;
        this.#backend(backend).reached++;
        if (attempt > 1) recorder.failover.record(Math.round(since_arrival_ms * NS_PER_MS));
      },
    );
    stream.subscribe("live", ["connection_refused"], ({ at_ms, client, reason }) => {
      if (isMeasured(at_ms)) recorder.clientRefused(reason);
      this.#refusals.set(client, (this.#refusals.get(client) ?? 0) + 1);
    });
    stream.subscribe("live", ["connection_dequeued"], ({ client, waited_ms }) => {
      const waits = this.#queued.get(client) ?? [];
      this.#queued.set(client, [...waits, Math.round(waited_ms * NS_PER_MS)]);
    });
    stream.subscribe("live", ["connection_closed"], ({ at_ms, end }) => {
      if (end === "idle_timeout" && isMeasured(at_ms)) recorder.idleCuts++;
    });
    stream.subscribe("live", ["session_moved"], ({ why }) => recorder.sessionsMoved[why]++);
    stream.subscribe("live", ["backend_up", "backend_down"], ({ at_ms, type, backend }) => {
      const at = Math.round(at_ms * NS_PER_MS);
      this.#health.changed(index, this.#backend(backend).index, type === "backend_up", at);
    });
    this.#options.observe?.(stream, index);
    if (index === 0) {
      stream.subscribe("live", ["backend_mode_changed"], () => this.#spread.modeChanged());
    }
    return stream;
  }

  #backend(id: string): MeasuredBackend {
    return this.backends.find((backend) => backend.id === id)!;
  }

  #wasRefused(client: string): boolean {
    const count = this.#refusals.get(client) ?? 0;
    if (count > 0) this.#refusals.set(client, count - 1);
    return count > 0;
  }

  /** Continues with other settings, as the simulator does. */
  #goOnWith({ at, to }: Change, change: number): void {
    const { faults, end, warmup, loadBalancers, changes } = this.#scenario;
    this.#scenario = { ...to, faults, end, warmup, loadBalancers, changes: changes! };
    const { network, workload } = to;
    this.#links.client.change(network.clientLatency);
    this.recorder.patience = workload.timeout;
    const { demand } = this.#load;
    this.#load.change({
      demand: new Demand(to, this.#seed, { demand, at, change }),
      timeout: workload.timeout,
      retries: workload.retries.max,
    });
    this.#system.change(this.#scenario);
    this.#spread.modeChanged();
  }

  #beginFault(fault: Fault): void {
    this.#options.faultChanges?.(fault, "begins");
    if ("loadBalancer" in fault) {
      this.#health.balancerRestarted(fault.loadBalancer, this.#alarms.now());
    }
    this.#system.begin(fault);
    this.#health.faultBegins(fault);
  }

  #endFault(fault: Fault): void {
    this.#system.end(fault);
    this.#health.faultEnds(fault);
    this.#options.faultChanges?.(fault, "ended");
  }
}

/** Identifies an attempt. */
function idOf({ origin, nth, attempt }: SessionRequest): string {
  return `${origin}.${nth}.${attempt}`;
}
