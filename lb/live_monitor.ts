import { closeSync, openSync } from "node:fs";
import { type Clock, descriptorsLeft } from "../lib/io/mod.ts";
import { type Config, wishedChanges } from "../lib/config/mod.ts";
import type { EventStream } from "../lib/core/mod.ts";
import {
  type Frame,
  Monitor,
  type ProcessSnapshot,
  type Settings,
  settingsOf,
  type Snapshot,
  type Surroundings,
} from "../lib/observe/mod.ts";
import { formatAddress } from "../lib/base/mod.ts";
import type { Balancer } from "./balancer.ts";

/** The time between two measurements of the event loop's delay. */
const BEAT_MS = 200;
/** Delays of the last ten seconds are remembered. */
const BEATS = 10_000 / BEAT_MS;

/** Observes a live balancer: gives the monitor a clock, and adds numbers that only the process knows. */
export class LiveMonitor {
  readonly monitor: Monitor;
  readonly #now: Clock;
  #balancer: Balancer | undefined;
  #settings: Settings | undefined;
  #settingsFor: Config | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  /**
   * Descriptors that were open before the balancer opened any; undefined if the system does not report them.
   */
  readonly #descriptorsBefore = lowestFreeDescriptor();
  #descriptorsLimit: number | undefined;
  readonly #delays = new Float64Array(BEATS);
  #beats = 0;
  #beatDue = 0;

  constructor(events: EventStream, now: Clock) {
    this.monitor = new Monitor(events);
    this.#now = now;
  }

  /** How many descriptors this process can still open, at most `max`; undefined if that is not known. */
  countDescriptors(max: number): number | undefined {
    const left = descriptorsLeft(max);
    if (left !== undefined && left < max) {
      this.#descriptorsLimit = (lowestFreeDescriptor() ?? 0) + left;
    }
    return left;
  }

  /** Observes a balancer until `stop`. The balancer must have been started with `monitor`. */
  start(balancer: Balancer): void {
    this.#balancer = balancer;
    this.#beatDue = performance.now() + BEAT_MS;
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.monitor.stop();
  }

  snapshot(): Snapshot {
    return this.monitor.snapshot(this.#now(), this.surroundings);
  }

  frame(): Frame {
    return this.monitor.frame(this.#now(), this.surroundings);
  }

  /** Numbers that the monitor cannot observe itself. */
  get surroundings(): Surroundings {
    const balancer = this.#balancer!;
    const { config, fileConfig, wishes } = balancer;
    if (this.#settings === undefined || this.#settingsFor !== config) {
      const changes = wishedChanges(fileConfig, wishes);
      this.#settings = settingsOf(config, fileConfig, changes, formatAddress(balancer.address));
      this.#settingsFor = config;
    }
    return {
      settings: this.#settings,
      process: this.#process(balancer),
      openTraffic: balancer.openTraffic,
    };
  }

  #process({ openSockets }: Balancer): ProcessSnapshot {
    const before = this.#descriptorsBefore;
    return {
      descriptors: before === undefined ? null : before + openSockets,
      descriptors_limit: this.#descriptorsLimit ?? null,
      event_loop_delay_ms: Math.max(...this.#delays),
      memory_bytes: Deno.memoryUsage().rss,
    };
  }

  #beat(): void {
    const now = performance.now();
    this.#delays[this.#beats++ % BEATS] = Math.max(0, now - this.#beatDue);
    this.#beatDue = now + BEAT_MS;
    this.monitor.advance(this.#now());
  }
}

/**
 * The lowest free descriptor. The system gives this number to a new file, so about this many were in use at the
 * start.
 */
function lowestFreeDescriptor(): number | undefined {
  try {
    const descriptor = openSync("/dev/null", "r");
    closeSync(descriptor);
    return descriptor;
  } catch {
    return undefined; // Windows, or no permission to read.
  }
}
