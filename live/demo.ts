import crashAndReturn from "../examples/crash-and-return.yaml" with { type: "text" };
import type { SessionOutcome, SessionRequest } from "../bench/mod.ts";
import type { Nanoseconds } from "../lib/base/mod.ts";
import { formatAddress, NS_PER_MS } from "../lib/base/mod.ts";
import { type Clock, sleep } from "../lib/io/mod.ts";
import {
  type AlgorithmName,
  conditionOf,
  detectionTime,
  type EventStream,
  failbackTime,
  type NoticeTime,
} from "../lib/core/mod.ts";
import { parseStudy } from "../lib/scenario/mod.ts";
import type { Fault } from "../lib/scenario/types.ts";
import { Histogram } from "../lib/stats/mod.ts";
import type { ReadyScenario } from "../sim/study/mod.ts";
import { runLive } from "./live_run.ts";
import { type LiveLab, LocalSystem } from "./local_system.ts";

/** Options of a demo. */
export interface DemoOptions {
  readonly algorithm: AlgorithmName;
  readonly duration: Nanoseconds;
  readonly now: Clock;
  readonly seed: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /**
   * Called with the summary. The balancer, the backends and the clients run until the promise
   * resolves.
   */
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
      /** The token for the dashboard's buttons. It is valid for this demo only. */
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

/** The state of the demo at a moment, for the live line. */
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
  /** Whether the demo was interrupted before its end. */
  readonly interrupted: boolean;
  /** Connections to backends. */
  readonly connections: number;
  readonly backends: readonly {
    readonly id: string;
    readonly connections: number;
    readonly share: number;
  }[];
  /** The number of requests that were answered. */
  readonly answers: number;
  /** The number of requests that were not answered. */
  readonly client_errors: number;
  /** The number of unanswered requests on which B2 was working when it stopped. These could not be saved. */
  readonly client_errors_unavoidable: number;
  /** The number of failed connects after which another backend got the connection. Their clients did not notice. */
  readonly failed_over: number;
  /** The time from the stop of B2 until the balancer marked it as down; null if the balancer did not. */
  readonly detection_ms: number | null;
  /** The longest time that this can take with this configuration. */
  readonly detection_bound_ms: number;
  /** The time from its return until the balancer marked it as up; null if the balancer did not. */
  readonly failback_ms: number | null;
  readonly failback_bound_ms: number;
  readonly latency_ms: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Whether the demo went as expected: `problemsOf` returns no problem. */
  readonly ok: boolean;
}

/**
 * The problems of a demo, one sentence each. If a demo was ended early, the parts that it did not show are not
 * problems.
 */
export function problemsOf(summary: Omit<DemoSummary, "ok">): string[] {
  const { interrupted, answers, client_errors, client_errors_unavoidable } = summary;
  const { detection_ms, failback_ms } = summary;
  const lost = client_errors - client_errors_unavoidable;
  return [
    ...answers === 0 ? ["no request got an answer"] : [],
    ...lost > 0
      ? [
        lost === 1
          ? "1 request got no answer, although the balancer could have sent it to another backend"
          : `${lost} requests got no answer, although the balancer could have sent them to another backend`,
      ]
      : [],
    ...detection_ms === null && !interrupted ? [`${VICTIM} was not marked as down`] : [],
    ...failback_ms === null && !interrupted ? [`${VICTIM} was not marked as up again`] : [],
  ];
}

/** The scenario that the demo shows. */
const SCENARIO = { file: "examples/crash-and-return.yaml", text: crashAndReturn };
const VICTIM = "B2";
const SHOW_EVERY_MS = 100;
/** Time by which timers and a busy machine may delay a probe before the probe counts as late. */
const SLACK: Nanoseconds = 250 * NS_PER_MS;

/**
 * The scenario of the demo, with another algorithm and another duration. All its times change with the duration,
 * but a long demo does not have longer pauses between its probes.
 */
export function demoScenario(algorithm: AlgorithmName, duration: Nanoseconds): ReadyScenario {
  const set = [`balancer.algorithm=${algorithm}`];
  const { variants } = parseStudy({ scenario: SCENARIO, files: {}, set });
  const { scenario } = variants[0]!;
  const { end, faults, balancer } = scenario;
  const factor = "duration" in end ? duration / end.duration : 1;
  const scaled = (time: Nanoseconds) => Math.round(time * factor);
  const { interval } = balancer.healthCheck;
  const healthCheck = {
    ...balancer.healthCheck,
    interval: Math.min(interval, scaled(interval)),
  };
  return {
    ...scenario,
    end: { duration },
    warmup: 0,
    faults: faults.map((fault) => ({
      ...fault,
      at: scaled(fault.at),
      for: scaled(fault.for),
    })),
    balancer: { ...balancer, healthCheck },
  };
}

/**
 * Reports a live run of the demo's scenario, in which B2 crashes and returns. The events are observations of the
 * balancer and the clients; they do not come from the text of the scenario.
 */
export class Demo {
  readonly #options: DemoOptions;
  readonly #report: (event: DemoEvent) => void;
  readonly #show: (state: DemoState) => void;
  readonly #scenario: ReadyScenario;
  readonly #latency = new Histogram();
  readonly #begun: Nanoseconds;
  #lab: LiveLab | undefined;
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
   * @param show Called with the state, ten times a second.
   */
  constructor(
    options: DemoOptions,
    report: (event: DemoEvent) => void,
    show: (state: DemoState) => void,
  ) {
    this.#options = options;
    this.#report = report;
    this.#show = show;
    this.#scenario = demoScenario(options.algorithm, options.duration);
    this.#begun = options.now();
  }

  /**
   * Runs the demo until its end, or until the signal. Then everything that it has opened is closed. Resolves to
   * undefined if the signal comes before the balancer listens.
   */
  async run(): Promise<DemoSummary | undefined> {
    const { seed, signal, finished } = this.#options;
    let summary: DemoSummary | undefined;
    let shown: ReturnType<typeof setInterval> | undefined;
    const stopShowing = () => clearInterval(shown);
    try {
      const { result } = await runLive(this.#scenario, seed, {
        signal,
        series: false,
        system: (context) =>
          new LocalSystem(context, {
            dashboard: true,
            ready: (lab) => {
              this.#isReady(lab);
              shown = setInterval(() => this.#show(this.#state(lab)), SHOW_EVERY_MS);
            },
          }),
        observe: (events) => this.#listen(events),
        attempted: (request, outcome) => this.#record(request, outcome),
        faultChanges: (fault, change) => this.#faultChanges(fault, change),
        beforeEnd: async () => {
          await this.#untilFailedBack();
          if (finished === undefined) return;
          stopShowing();
          summary = this.#summary();
          await finished(summary);
        },
      });
      // If the reader of the events has a defect, the demo must not end as a success.
      const [failure] = result.readerFailures ?? [];
      if (failure !== undefined) throw new Error(failure);
    } catch (error) {
      if (this.#lab === undefined && signal.aborted) return undefined;
      throw error;
    } finally {
      stopShowing();
    }
    // The summary also counts requests that were in progress at the end, unless the run continued
    // with `finished`.
    return summary ?? this.#summary();
  }

  #isReady(lab: LiveLab): void {
    this.#lab = lab;
    const { url, token } = lab.dashboard!;
    this.#report({
      type: "started",
      at_ms: this.#elapsed(),
      address: formatAddress(lab.balancer.address),
      dashboard: url,
      token,
    });
  }

  #listen(events: EventStream): void {
    events.subscribe("demo", ["backend_down"], ({ backend }) => {
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
    events.subscribe("demo", ["backend_up"], ({ backend }) => {
      if (backend !== VICTIM || this.#returnedAt === undefined) return;
      this.#failedBackAt = this.#options.now();
      this.#failedBack.abort();
      const failback_ms = (this.#failedBackAt - this.#returnedAt) / NS_PER_MS;
      this.#report({ type: "failed_back", at_ms: this.#elapsed(), failback_ms });
    });
    const stop = events.subscribe("demo", ["connection_opened"], ({ backend, attempt }) => {
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

  #faultChanges(_fault: Fault, change: "begins" | "ended"): void {
    if (change === "ended") {
      this.#returnedAt = this.#options.now();
      this.#report({ type: "returned", at_ms: this.#elapsed() });
      return;
    }
    const { inFlight } = this.#lab!.balancer.scheduler.backend(VICTIM)!;
    this.#unavoidable = inFlight;
    this.#stoppedAt = this.#options.now();
    this.#report({ type: "taken_away", at_ms: this.#elapsed(), in_flight: inFlight });
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

  #state({ balancer: { scheduler } }: LiveLab): DemoState {
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

  #summary(): DemoSummary {
    const { healthCheck } = this.#scenario.balancer;
    const { now, signal, algorithm } = this.#options;
    const { backends } = this.#lab!.balancer.scheduler;
    const connections = backends.reduce((sum, backend) => sum + backend.connections, 0);
    const between = (from: Nanoseconds | undefined, to: Nanoseconds | undefined) =>
      from === undefined || to === undefined ? null : (to - from) / NS_PER_MS;
    const bound = ({ most }: NoticeTime) => (most + SLACK) / NS_PER_MS;
    const unavoidable = Math.min(this.#errors, this.#unavoidable);
    const summary = {
      algorithm,
      duration_ms: (now() - this.#begun) / NS_PER_MS,
      interrupted: signal.aborted,
      connections,
      backends: backends.map((backend) => ({
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

  /**
   * Waits for the failback, which the output has announced. On a busy machine it may come late, but at most its bound
   * after this moment.
   */
  async #untilFailedBack(): Promise<void> {
    if (this.#returnedAt === undefined) return;
    const { healthCheck } = this.#scenario.balancer;
    const { most } = failbackTime(healthCheck, healthCheck.timeout);
    const { signal } = this.#options;
    await sleep(most + SLACK, AbortSignal.any([signal, this.#failedBack.signal]));
  }
}
