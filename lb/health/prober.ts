import { isDeepStrictEqual } from "node:util";
import {
  type Clock,
  encodeProxyHeader,
  type LocalShortages,
  timerDelay,
} from "../../lib/io/mod.ts";
import { childSeed, createRandom } from "../../lib/base/mod.ts";
import { ProbeSchedule, type Scheduler } from "../../lib/core/mod.ts";
import type { Config } from "../../lib/config/mod.ts";
import { probe, type ProbeResult } from "./probe.ts";
import type { BackendTls } from "../dial/mod.ts";

type BackendConfig = Config["backends"][number];

/** One backend's schedule, and its probe that is in progress. */
interface Target {
  readonly backend: BackendConfig;
  readonly schedule: ProbeSchedule;
  timer: ReturnType<typeof setTimeout> | undefined;
  underWay: Promise<void> | undefined;
  /** Whether a reload has removed this target. Then the result of a probe in progress is ignored. */
  dropped: boolean;
}

/** Options of a prober besides the configuration. */
export interface ProberOptions {
  readonly now: Clock;
  readonly seed: number;
  /** How to connect to backends with TLS; without TLS if left out. */
  readonly tls?: BackendTls | undefined;
  /** Records the resource that this machine lacks, if a probe fails because of this. */
  readonly shortages?: Pick<LocalShortages, "record">;
  /** Does one probe; tests replace it. */
  readonly probe?: (backend: BackendConfig, signal: AbortSignal) => Promise<ProbeResult>;
}

/**
 * Probes every backend on its schedule and reports to the scheduler. `lib/core` decides when to probe and
 * what a result means; this class has the timers and the sockets.
 */
export class Prober {
  readonly #scheduler: Scheduler;
  readonly #now: Clock;
  readonly #options: ProberOptions;
  #config: Config;
  #tls: BackendTls | undefined;
  #targets: readonly Target[];
  readonly #stopping = new AbortController();

  constructor(config: Config, scheduler: Scheduler, options: ProberOptions) {
    this.#scheduler = scheduler;
    this.#now = options.now;
    this.#options = options;
    this.#config = config;
    this.#tls = options.tls;
    this.#targets = probedOf(config).map((backend) => this.#target(backend));
  }

  #target(backend: BackendConfig): Target {
    const random = createRandom(childSeed(this.#options.seed, "probes", backend.id));
    return {
      backend,
      schedule: new ProbeSchedule(this.#config.healthCheck, random, this.#now()),
      timer: undefined,
      underWay: undefined,
      dropped: false,
    };
  }

  #probe(backend: BackendConfig, signal: AbortSignal): Promise<ProbeResult> {
    const { probe: other } = this.#options;
    if (other !== undefined) return other(backend, signal);
    const { healthCheck, proxyProtocol } = this.#config;
    const { send = "off" } = proxyProtocol ?? {};
    const header = send === "off" ? undefined : encodeProxyHeader(send);
    return probe(backend.address, healthCheck, signal, { header, tls: this.#tls });
  }

  /**
   * Applies another configuration. Resolves when each new backend, and each backend that is now probed in another way,
   * has been probed once.
   */
  async reload(config: Config, tls?: BackendTls): Promise<void> {
    const sameRules = isDeepStrictEqual(this.#config.healthCheck, config.healthCheck) &&
      isDeepStrictEqual(this.#tls, tls);
    this.#config = config;
    this.#tls = tls;
    const kept = new Map<string, Target>();
    const leaving: (Promise<void> | undefined)[] = [];
    for (const target of this.#targets) {
      const { backend } = target;
      const next = probedOf(config).find(({ id }) => id === backend.id);
      if (sameRules && next !== undefined && isDeepStrictEqual(next.address, backend.address)) {
        kept.set(backend.id, target);
        continue;
      }
      target.dropped = true;
      clearTimeout(target.timer);
      leaving.push(target.underWay);
    }
    this.#targets = probedOf(config).map((backend) =>
      kept.get(backend.id) ?? this.#target(backend)
    );
    const fresh = this.#targets.filter((target) => kept.get(target.backend.id) !== target);
    await Promise.all([...leaving, ...fresh.map((target) => this.#run(target))]);
  }

  /** Begins to probe all backends. Resolves when each has been probed once. */
  async start(): Promise<void> {
    await Promise.all(this.#targets.map((target) => this.#run(target)));
  }

  /** Stops, and cancels the probes in progress. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const target of this.#targets) clearTimeout(target.timer);
    await Promise.all(this.#targets.map((target) => target.underWay));
  }

  #run(target: Target): Promise<void> {
    target.underWay = this.#once(target).then(() => this.#schedule(target));
    return target.underWay;
  }

  async #once(target: Target): Promise<void> {
    const { backend, schedule } = target;
    const begun = this.#now();
    schedule.begin(begun);
    // A backend in maintenance is not probed: its operator may be working on it.
    if (this.#scheduler.backend(backend.id)?.mode !== "maintenance") {
      const result = await this.#probe(backend, this.#stopping.signal);
      if (this.#stopping.signal.aborted || target.dropped) return;
      const ended = this.#now();
      if (result.ok === undefined) this.#options.shortages?.record(result.shortage, result.detail);
      else {
        const reason = result.ok ? undefined : result.reason;
        this.#scheduler.probed(backend.id, result.ok, ended, ended - begun, reason);
      }
    }
    schedule.end(this.#now());
  }

  #schedule(target: Target): void {
    const { dueAt } = target.schedule;
    if (dueAt === undefined || target.dropped || this.#stopping.signal.aborted) return;
    target.timer = setTimeout(() => this.#run(target), timerDelay(dueAt - this.#now()));
  }
}

function probedOf({ backends, healthCheck }: Config): readonly BackendConfig[] {
  return healthCheck.type === "none" ? [] : backends;
}
