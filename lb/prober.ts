import { type Clock, timerDelay } from "../lib/clock.ts";
import { childSeed, createRandom, ProbeSchedule, type Scheduler } from "../lib/core/mod.ts";
import type { Config } from "../lib/config/mod.ts";
import { probe, type ProbeResult } from "./probe.ts";

type BackendConfig = Config["backends"][number];

/** One backend's schedule, and what is going on with it now. */
interface Target {
  readonly backend: BackendConfig;
  readonly schedule: ProbeSchedule;
  timer: ReturnType<typeof setTimeout> | undefined;
  underWay: Promise<void> | undefined;
}

/** What the prober is handed besides the configuration. */
export interface ProberOptions {
  readonly now: Clock;
  readonly seed: number;
  /** Does one probe; the real one unless a test says otherwise. */
  readonly probe?: (backend: BackendConfig, signal: AbortSignal) => Promise<ProbeResult>;
}

/**
 * Probes every backend on its schedule and reports to the scheduler. When to probe and what a result
 * means is decided in `lib/core`; here are the timers and the sockets.
 */
export class Prober {
  readonly #scheduler: Scheduler;
  readonly #now: Clock;
  readonly #probe: (backend: BackendConfig, signal: AbortSignal) => Promise<ProbeResult>;
  readonly #targets: readonly Target[];
  readonly #stopping = new AbortController();

  constructor(config: Config, scheduler: Scheduler, options: ProberOptions) {
    const { healthCheck } = config;
    this.#scheduler = scheduler;
    this.#now = options.now;
    this.#probe = options.probe ??
      ((backend, signal) => probe(backend.address, healthCheck, signal));
    const probed = healthCheck.type === "none" ? [] : config.backends;
    this.#targets = probed.map((backend) => ({
      backend,
      schedule: new ProbeSchedule(
        healthCheck,
        createRandom(childSeed(options.seed, "probes", backend.id)),
        options.now(),
      ),
      timer: undefined,
      underWay: undefined,
    }));
  }

  /** Probes all backends, and goes on probing. Resolves when each has been probed once. */
  async start(): Promise<void> {
    await Promise.all(this.#targets.map((target) => this.#run(target)));
  }

  /** Stops, giving up the probes that are under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const target of this.#targets) clearTimeout(target.timer);
    await Promise.all(this.#targets.map((target) => target.underWay));
  }

  #run(target: Target): Promise<void> {
    target.underWay = this.#once(target).then(() => this.#schedule(target));
    return target.underWay;
  }

  async #once({ backend, schedule }: Target): Promise<void> {
    const begun = this.#now();
    schedule.begin(begun);
    // An operator who takes a backend down for maintenance does not want it knocked at.
    if (this.#scheduler.backend(backend.id)?.mode !== "maintenance") {
      const result = await this.#probe(backend, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
      const ended = this.#now();
      if (result.ok !== undefined) {
        const reason = result.ok ? undefined : result.reason;
        this.#scheduler.probed(backend.id, result.ok, ended, ended - begun, reason);
      }
    }
    schedule.end(this.#now());
  }

  #schedule(target: Target): void {
    const { dueAt } = target.schedule;
    if (dueAt === undefined || this.#stopping.signal.aborted) return;
    target.timer = setTimeout(() => this.#run(target), timerDelay(dueAt - this.#now()));
  }
}
