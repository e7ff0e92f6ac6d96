/** The settings of a life, drawn from a seed. Any feature may be on, off or exaggerated. */
import {
  ALGORITHM_NAMES,
  type AlgorithmOptions,
  type BackendMode,
  type EjectionRules,
  type QueueRules,
  type SchedulerOptions,
  type SlowStartRules,
  type StickyRules,
} from "../../../lib/core/mod.ts";
import { NS_PER_MS, parsePrefix, type Random } from "../../../lib/base/mod.ts";

/** The settings of a backend. */
export interface BackendSettings {
  readonly weight: number;
  readonly backup: boolean;
  readonly maxConnections: number | undefined;
  readonly mode: BackendMode;
}

/** The settings of a backend, with its name. */
export interface NamedBackend extends BackendSettings {
  readonly id: string;
}

/** The settings of a balancer and its clients. */
export interface Settings {
  readonly algorithm: AlgorithmOptions;
  readonly backends: readonly BackendSettings[];
  readonly sticky: StickyRules | undefined;
  readonly rise: number;
  readonly fall: number;
  readonly retries: number;
  readonly connections: number;
  readonly perClient: { readonly connections?: number; readonly rate?: number } | undefined;
  /** Only clients of 10.0.0.0 to 10.0.1.255 may connect. */
  readonly allow: boolean;
  /** Clients of 10.0.1.0 to 10.0.1.255 may not. */
  readonly deny: boolean;
  readonly queue: QueueRules | undefined;
  readonly ejection: EjectionRules | undefined;
  readonly slowStart: SlowStartRules | undefined;
  readonly tryAnyway: boolean;
  /** The number of clients. */
  readonly clients: number;
  /** Seeds the scheduler's own draws. */
  readonly seed: number;
}

const ALGORITHMS: readonly AlgorithmOptions[] = [
  ...ALGORITHM_NAMES.map((name) => ({ name }) as AlgorithmOptions),
  { name: "power-of-two", choices: 3 },
  { name: "ring-hash", points: 10, boundedLoad: 1.25 },
  { name: "maglev", tableSize: 101, boundedLoad: 2 },
];

const RATES = [0.5, 2, 20, 200];

/** Draws settings. */
export function drawSettings(random: Random): Settings {
  const below = (count: number) => Math.floor(random.next() * count);
  const chance = (probability: number) => random.next() < probability;
  // Short times, in a life of a thousand milliseconds, often end at the very moment of something else.
  const time = (msMax: number) => (1 + below(chance(0.5) ? 4 : msMax)) * NS_PER_MS;
  // In a third of all lives backends are few and full, clients wait, and connects that fail eject.
  const isTight = chance(1 / 3);
  const isMostlyTight = () => chance(isTight ? 0.9 : 0.4);
  return {
    algorithm: ALGORITHMS[below(ALGORITHMS.length)]!,
    backends: Array.from({ length: isTight ? 1 + below(3) : below(8) }, () => ({
      weight: chance(0.1) ? 0 : 1 + below(5),
      backup: chance(0.2),
      maxConnections: isMostlyTight() ? 1 + below(isTight ? 2 : 6) : undefined,
      mode: chance(0.9) ? "ready" : chance(0.5) ? "drain" : "maintenance",
    })),
    sticky: chance(0.3) ? undefined : {
      by: "client-address",
      ipv4Prefix: chance(0.5) ? 32 : 24,
      ipv6Prefix: chance(0.5) ? 128 : 64,
      ttl: time(chance(0.5) ? 20 : 500),
      maxEntries: 1 + below(chance(0.5) ? 5 : 100),
      onFailback: chance(0.5) ? "return" : "stay",
      drain: chance(0.5) ? "move" : "allow",
    },
    rise: 1 + below(3),
    fall: 1 + below(3),
    retries: below(5),
    connections: chance(0.2) ? 1 + below(10) : 1000,
    perClient: chance(0.7) ? undefined : {
      ...chance(0.7) && { connections: 1 + below(4) },
      ...chance(0.5) && { rate: RATES[below(RATES.length)]! },
    },
    allow: chance(0.05),
    deny: chance(0.1),
    queue: isMostlyTight() ? { length: 1 + below(20), timeout: time(100) } : undefined,
    ejection: isMostlyTight()
      ? { failures: 1 + below(3), base: time(50), max: 100 * NS_PER_MS, maxShare: random.next() }
      : undefined,
    slowStart: chance(0.4)
      ? { duration: 20 * time(20) + below(20), floor: Math.max(0.01, random.next()) }
      : undefined,
    tryAnyway: chance(0.2),
    clients: 1 + below(isTight || chance(0.3) ? 5 : 200),
    seed: below(2 ** 31),
  };
}

/** What these settings are for a scheduler, with these backends. */
export function optionsOf(
  settings: Settings,
  backends: readonly NamedBackend[],
): SchedulerOptions {
  const { algorithm, sticky, rise, fall, retries, connections, perClient } = settings;
  const { allow, deny, queue, ejection, slowStart, tryAnyway } = settings;
  return {
    algorithm,
    backends,
    healthCheck: { type: "tcp", interval: 1, jitter: 0, rise, fall },
    sticky,
    retries,
    limits: { connections, ...perClient !== undefined && { perClient } },
    allow: allow ? [parsePrefix("10.0.0.0/23")] : undefined,
    deny: deny ? [parsePrefix("10.0.1.0/24")] : undefined,
    queue,
    ejection,
    slowStart,
    whenNoneAvailable: tryAnyway ? "try-anyway" : "refuse",
  };
}
