import { BackendServer } from "../backend/mod.ts";
import {
  BackendNames,
  linePayload,
  run,
  RunClock,
  SessionLoad,
  type SessionOutcome,
  type SessionRequest,
  Tally,
} from "../bench/mod.ts";
import { Balancer, LiveMonitor } from "../lb/mod.ts";
import { DemoFaults, startDashboard } from "./demo_lab.ts";
import {
  type Address,
  childSeed,
  createRandom,
  formatAddress,
  type Nanoseconds,
  NS_PER_MS,
} from "../lib/base/mod.ts";
import { type Clock, sleep } from "../lib/io/mod.ts";
import { algorithmNamed, type Config, parseConfig } from "../lib/config/mod.ts";
import {
  type AlgorithmName,
  conditionOf,
  detectionTime,
  EventStream,
  failbackTime,
  type NoticeTime,
  type ReaderFailure,
} from "../lib/core/mod.ts";
import { Histogram } from "../lib/stats/mod.ts";
import { Demand, type DemandOptions } from "../lib/workload/mod.ts";

/** Options of a demo. */
export interface DemoOptions {
  readonly algorithm: AlgorithmName;
  readonly duration: Nanoseconds;
  readonly now: Clock;
  readonly seed: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** Called with the summary; the lab runs on until the promise resolves. */
  readonly finished?: ((summary: DemoSummary) => Promise<void>) | undefined;
}

/** The events of a demo. Times count from its start. */
export type DemoEvent =
  & { readonly at_ms: number }
  & (
    | {
      readonly type: "started";
      readonly address: string;
      /** The address of the dashboard. */
      readonly dashboard: string;
      /** What the dashboard's buttons need; it is valid for this demo only. */
      readonly token: string;
    }
    | { readonly type: "first_answer"; readonly backend: string }
    | { readonly type: "taken_away"; readonly in_flight: number }
    | { readonly type: "failed_over"; readonly from: string; readonly to: string }
    | {
      readonly type: "detected";
      readonly detection_ms: number;
      readonly failed_over: number;
      readonly noticed: number;
    }
    | { readonly type: "returned" }
    | { readonly type: "failed_back"; readonly failback_ms: number }
    | { readonly type: "serves_again" }
  );

/** A moment of it, for the live line. */
export interface DemoState {
  readonly at_ms: number;
  readonly backends: readonly {
    readonly id: string;
    readonly up: boolean;
    readonly in_flight: number;
  }[];
  readonly answers: number;
  readonly errors: number;
}

/** The result of the demo. `--json` prints it in this form. */
export interface DemoSummary {
  readonly algorithm: string;
  readonly duration_ms: number;
  /** Whether it was ended before its time. */
  readonly interrupted: boolean;
  /** Connections to backends. */
  readonly connections: number;
  readonly backends: readonly {
    readonly id: string;
    readonly connections: number;
    readonly share: number;
  }[];
  /** Requests of clients that got their answer. */
  readonly answers: number;
  /** Requests of clients that got none. */
  readonly client_errors: number;
  /** Those among them that B2 was working on when it stopped: these could not be saved. */
  readonly client_errors_unavoidable: number;
  /** Connects that failed and were made good on another backend, unnoticed. */
  readonly failed_over: number;
  /** From the stop of B2 until the balancer marked it as down; null if the balancer did not. */
  readonly detection_ms: number | null;
  /** The longest that this can take by the configuration. */
  readonly detection_bound_ms: number;
  /** From its return to marking it up; null if it did not come to that. */
  readonly failback_ms: number | null;
  readonly failback_bound_ms: number;
  readonly latency_ms: { readonly p50: number; readonly p99: number; readonly max: number };
  /** It went as it should: `problemsOf` has nothing to say. */
  readonly ok: boolean;
}

/** What did not go as it should, one sentence each. What a demo that was ended early did not show is no problem. */
export function problemsOf(summary: Omit<DemoSummary, "ok">): string[] {
  const { interrupted, answers, client_errors, client_errors_unavoidable } = summary;
  const { detection_ms, failback_ms } = summary;
  const lost = client_errors - client_errors_unavoidable;
  return [
    ...answers === 0 ? ["no request got an answer"] : [],
    ...lost > 0
      ? [
        lost === 1
          ? "1 request got no answer, and could have been saved"
          : `${lost} requests got no answer, and could have been saved`,
      ]
      : [],
    ...detection_ms === null && !interrupted ? [`${VICTIM} was not marked as down`] : [],
    ...failback_ms === null && !interrupted ? [`${VICTIM} was not marked as up again`] : [],
  ];
}

const VICTIM = "B2";
/** When B2 stops, and when it returns, as shares of the duration. */
const TAKEN_AT = 0.3;
const RETURNS_AT = 0.6;
const CLIENTS = 12;
const NOTHING = { kind: "deterministic", value: 0 } as const;
/** Clients that open a connection for each request, and wait for its answer. */
const CLOSED_LOOP: DemandOptions = {
  workload: {
    arrivals: { kind: "closed", clients: CLIENTS, think: NOTHING },
    clients: { count: CLIENTS, zipf: 0 },
    requestsPerConnection: { kind: "deterministic", value: 1 },
    thinkTime: NOTHING,
    timeout: Infinity,
    retries: { max: 0, backoff: 0, multiplier: 1, jitter: 0 },
  },
  service: NOTHING,
};
const MEAN_LATENCY: Nanoseconds = 20 * NS_PER_MS;
const SHOW_EVERY_MS = 100;

/**
 * A backend that is stopped refuses probes at once. So this does not delay the detection, and a busy machine has
 * time to answer the probes of the others.
 */
const PROBE_TIMEOUT: Nanoseconds = 500 * NS_PER_MS;
/** Time by which timers and a busy machine may delay a probe before the probe counts as late. */
const SLACK: Nanoseconds = 250 * NS_PER_MS;

/**
 * Three backends, a balancer and a steady load on loopback; B2 stops and comes back. The
 * events are what the balancer and the clients observed, not what the script does.
 */
export class Demo {
  readonly #options: DemoOptions;
  readonly #report: (event: DemoEvent) => void;
  readonly #show: (state: DemoState) => void;
  readonly #servers: ReadonlyMap<string, BackendServer>;
  readonly #addresses: ReadonlyMap<string, Address>;
  readonly #events = new EventStream((failure) => this.#failure ??= failure);
  #config!: Config;
  readonly #latency = new Histogram();
  readonly #begun: Nanoseconds;
  /** The first failure of `report`. */
  #failure: ReaderFailure | undefined;
  #answers = 0;
  #errors = 0;
  #unavoidable = 0;
  #failedOver = 0;
  #stoppedAt: Nanoseconds | undefined;
  #detectedAt: Nanoseconds | undefined;
  #returnedAt: Nanoseconds | undefined;
  #failedBackAt: Nanoseconds | undefined;
  readonly #failedBack = new AbortController();

  /**
   * @param report Gets each event when it happens.
   * @param show Is handed the state, ten times a second.
   */
  constructor(
    options: DemoOptions,
    report: (event: DemoEvent) => void,
    show: (state: DemoState) => void,
  ) {
    this.#options = options;
    this.#report = report;
    this.#show = show;
    this.#begun = options.now();
    const random = createRandom(childSeed(options.seed, "backends"));
    const latency = () => Math.round(MEAN_LATENCY * (0.5 + random.next()));
    this.#servers = new Map(
      ["B1", VICTIM, "B3"].map((id) => [id, new BackendServer(id, { latency }, random)]),
    );
    this.#addresses = new Map(
      [...this.#servers].map(([id, server]) => [id, server.start({ host: "127.0.0.1", port: 0 })]),
    );
  }

  /** Runs it to its end, or to the signal; everything that it opened is then closed. */
  async run(): Promise<DemoSummary> {
    const { now, seed, signal, duration } = this.#options;
    const events = this.#events;
    const faults = await DemoFaults.start(this.#servers.values());
    this.#config = demoConfig(this.#options, this.#addresses, faults.addresses);
    this.#listen();
    const monitor = new LiveMonitor(events, now);
    const balancer = await Balancer.start(this.#config, {
      ...{ events, now, seed },
      monitor: monitor.monitor,
    });
    monitor.start(balancer);
    const { token } = faults;
    const dashboard = await startDashboard(balancer, { events, monitor, now, token });
    this.#report({
      type: "started",
      at_ms: this.#elapsed(),
      address: formatAddress(balancer.address),
      dashboard: dashboard.url,
      token: token.value,
    });
    const clock = new RunClock(now);
    const load = new SessionLoad({
      address: balancer.address,
      payload: linePayload(),
      timeout: this.#config.timeouts.connect,
      now: clock.now,
      demand: new Demand(CLOSED_LOOP, childSeed(seed, "clients")),
      until: Infinity,
      retries: 0,
      attempted: (request, outcome) => this.#record(request, outcome),
    }, new Tally(new BackendNames()));
    const loaded = run(load, clock, { duration: Infinity, signal: new AbortController().signal });
    const shown = setInterval(() => this.#show(this.#state(balancer)), SHOW_EVERY_MS);
    const start = now();
    await this.#until(start + TAKEN_AT * duration);
    if (!signal.aborted) await this.#stopBackend(balancer);
    await this.#until(start + RETURNS_AT * duration);
    if (!signal.aborted) this.#giveBack();
    await this.#until(start + duration);
    await this.#untilFailedBack();
    clearInterval(shown);
    const end = async () => {
      load.stop();
      await loaded;
    };
    const { finished } = this.#options;
    // What is in progress at the end of the story counts, too, unless the lab runs on.
    if (finished === undefined) await end();
    const summary = this.#summary(balancer);
    if (finished !== undefined) {
      await finished(summary);
      await faults.end();
      await end();
    }
    await dashboard.stop();
    await faults.stop();
    await balancer.stop();
    monitor.stop();
    await Promise.all([...this.#servers.values()].map((server) => server.kill()));
    if (this.#failure !== undefined) throw this.#failure;
    return summary;
  }

  #listen(): void {
    this.#events.subscribe("demo", ["backend_down"], ({ backend }) => {
      if (backend !== VICTIM || this.#stoppedAt === undefined) return;
      this.#detectedAt = this.#options.now();
      this.#report({
        type: "detected",
        at_ms: this.#elapsed(),
        detection_ms: (this.#detectedAt - this.#stoppedAt) / NS_PER_MS,
        failed_over: this.#failedOver,
        noticed: this.#errors,
      });
    });
    this.#events.subscribe("demo", ["backend_up"], ({ backend }) => {
      if (backend !== VICTIM || this.#returnedAt === undefined) return;
      this.#failedBackAt = this.#options.now();
      this.#failedBack.abort();
      const failback_ms = (this.#failedBackAt - this.#returnedAt) / NS_PER_MS;
      this.#report({ type: "failed_back", at_ms: this.#elapsed(), failback_ms });
    });
    const stop = this.#events.subscribe("demo", ["connection_opened"], ({ backend, attempt }) => {
      if (attempt > 1) {
        this.#failedOver++;
        if (this.#failedOver === 1) {
          this.#report({ type: "failed_over", at_ms: this.#elapsed(), from: VICTIM, to: backend });
        }
      }
      if (backend === VICTIM && this.#failedBackAt !== undefined) {
        this.#report({ type: "serves_again", at_ms: this.#elapsed() });
        stop();
      }
    });
  }

  async #stopBackend(balancer: Balancer): Promise<void> {
    const inFlight = balancer.scheduler.backend(VICTIM)!.inFlight;
    this.#unavoidable = inFlight;
    this.#stoppedAt = this.#options.now();
    this.#report({ type: "taken_away", at_ms: this.#elapsed(), in_flight: inFlight });
    await this.#servers.get(VICTIM)!.kill();
  }

  #giveBack(): void {
    this.#servers.get(VICTIM)!.start(this.#addresses.get(VICTIM)!);
    this.#returnedAt = this.#options.now();
    this.#report({ type: "returned", at_ms: this.#elapsed() });
  }

  #record({ due }: SessionRequest, { error, backend, at }: SessionOutcome): void {
    if (error !== undefined) {
      this.#errors++;
      return;
    }
    this.#answers++;
    this.#latency.record(at - due);
    if (this.#answers === 1) {
      this.#report({ type: "first_answer", at_ms: this.#elapsed(), backend: backend ?? "?" });
    }
  }

  #state({ scheduler }: Balancer): DemoState {
    return {
      at_ms: this.#elapsed(),
      backends: scheduler.backends.map((backend) => ({
        id: backend.id,
        up: conditionOf(backend) === "up",
        in_flight: backend.inFlight,
      })),
      answers: this.#answers,
      errors: this.#errors,
    };
  }

  #summary({ scheduler }: Balancer): DemoSummary {
    const { healthCheck } = this.#config;
    const { now, signal, algorithm } = this.#options;
    const connections = scheduler.backends.reduce((sum, backend) => sum + backend.connections, 0);
    const between = (from: Nanoseconds | undefined, to: Nanoseconds | undefined) =>
      from === undefined || to === undefined ? null : (to - from) / NS_PER_MS;
    const bound = ({ most }: NoticeTime) => (most + SLACK) / NS_PER_MS;
    const unavoidable = Math.min(this.#errors, this.#unavoidable);
    const summary = {
      algorithm,
      duration_ms: (now() - this.#begun) / NS_PER_MS,
      interrupted: signal.aborted,
      connections,
      backends: scheduler.backends.map((backend) => ({
        id: backend.id,
        connections: backend.connections,
        share: connections === 0 ? 0 : backend.connections / connections,
      })),
      answers: this.#answers,
      client_errors: this.#errors,
      client_errors_unavoidable: unavoidable,
      failed_over: this.#failedOver,
      detection_ms: between(this.#stoppedAt, this.#detectedAt),
      detection_bound_ms: bound(detectionTime(healthCheck, healthCheck.timeout)),
      failback_ms: between(this.#returnedAt, this.#failedBackAt),
      failback_bound_ms: bound(failbackTime(healthCheck, healthCheck.timeout)),
      latency_ms: {
        p50: this.#latency.quantile(0.5) / NS_PER_MS,
        p99: this.#latency.quantile(0.99) / NS_PER_MS,
        max: this.#latency.max / NS_PER_MS,
      },
    };
    return { ...summary, ok: problemsOf(summary).length === 0 };
  }

  #elapsed(): number {
    return (this.#options.now() - this.#begun) / NS_PER_MS;
  }

  /** The story has announced it: on a busy machine it may come late, but not later than its bound from now on. */
  async #untilFailedBack(): Promise<void> {
    if (this.#returnedAt === undefined) return;
    const { healthCheck } = this.#config;
    const { most } = failbackTime(healthCheck, healthCheck.timeout);
    const { signal } = this.#options;
    await sleep(most + SLACK, AbortSignal.any([signal, this.#failedBack.signal]));
  }

  /** Waits for a moment, or the signal. */
  async #until(moment: Nanoseconds): Promise<void> {
    const { now, signal } = this.#options;
    await sleep(moment - now(), signal);
  }
}

/** Probes often enough that there is something to see, however short the demo. */
function demoConfig(
  { algorithm, duration }: DemoOptions,
  addresses: ReadonlyMap<string, Address>,
  admins: ReadonlyMap<string, Address>,
): Config {
  const interval = Math.round(Math.min(duration / 40, 500 * NS_PER_MS));
  const text = "backends: [{id: B1, address: 127.0.0.1:1}]";
  const defaults = parseConfig({ file: "the demo", text });
  const [backend] = defaults.backends;
  return {
    ...defaults,
    listen: { host: "127.0.0.1", port: 0 },
    algorithm: algorithmNamed(algorithm),
    backends: [...addresses].map(([id, address]) => ({
      ...backend!,
      id,
      address,
      admin: admins.get(id)!,
    })),
    healthCheck: { ...defaults.healthCheck, interval, timeout: PROBE_TIMEOUT },
    timeouts: { connect: 2000 * NS_PER_MS, idle: 60_000 * NS_PER_MS, drain: 1000 * NS_PER_MS },
    limits: { connections: 10_000 },
    log: { ...defaults.log, connections: false, statusInterval: duration },
    admin: { listen: "off", hosts: [] },
  };
}
