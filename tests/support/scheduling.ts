/** Short ways to make schedulers and candidates for tests. */
import {
  type AlgorithmName,
  type AlgorithmOptions,
  type BackendOptions,
  type Candidate,
  EVENT_TYPES,
  EventStream,
  type LbEvent,
  type ReaderFailure,
  Scheduler,
  type SchedulerOptions,
  type StickyRules,
} from "../../lib/core/mod.ts";
import { createRandom, NS_PER_S } from "../../lib/base/mod.ts";

/** Each address sticks for ten minutes, and returns. */
export const STICKY: StickyRules = {
  by: "client-address",
  ipv4Prefix: 32,
  ipv6Prefix: 128,
  ttl: 600 * NS_PER_S,
  maxEntries: 100,
  onFailback: "return",
};

/** What a test says differently. */
export type SchedulerOverrides = Partial<Omit<SchedulerOptions, "backends" | "algorithm">> & {
  readonly algorithm?: AlgorithmOptions | AlgorithmName;
  /** Ids, or options; the rest is weight 1. */
  readonly backends?: readonly (string | (Partial<BackendOptions> & { id: string }))[];
  readonly seed?: number;
  /** Whether picks are explained among what it emits. */
  readonly explained?: boolean;
  /** Gets a failed reader of events; it is thrown if this is left out. */
  readonly onReaderFailed?: (failure: ReaderFailure) => void;
};

/** A scheduler whose backends B1, B2, B3 are up, with everything it emits. */
export function schedulerOf(overrides: SchedulerOverrides = {}) {
  const {
    algorithm = "round-robin",
    backends = ["B1", "B2", "B3"],
    seed = 1,
    explained = false,
    onReaderFailed = throws,
    ...rest
  } = overrides;
  const events = new EventStream(onReaderFailed);
  const emitted: LbEvent[] = [];
  events.subscribe(
    "test",
    EVENT_TYPES.filter((type) => explained || type !== "pick_explained"),
    (event) => emitted.push(event),
  );
  const scheduler = new Scheduler(
    {
      algorithm: typeof algorithm === "string"
        ? { name: algorithm } as AlgorithmOptions
        : algorithm,
      backends: backends.map((backend) => ({
        weight: 1,
        backup: false,
        ...typeof backend === "string" ? { id: backend } : backend,
      })),
      healthCheck: { type: "tcp", interval: 2 * NS_PER_S, jitter: 0, rise: 2, fall: 3 },
      retries: 3,
      limits: { connections: 1e6 },
      ...rest,
    },
    events,
    createRandom(seed),
  );
  if (rest.healthCheck?.type !== "none") {
    for (const { id } of scheduler.backends) scheduler.probed(id, true, 0, 0);
  }
  emitted.length = 0;
  return { scheduler, events, emitted };
}

function throws(failure: ReaderFailure): never {
  throw failure;
}

/** Takes a backend down by as many bad probes as it needs. */
export function takeDown(scheduler: Scheduler, id: string, now = 0): void {
  for (let i = 0; i < 3; i++) scheduler.probed(id, false, now, 0, "connect: refused");
}

/** Brings it up again. */
export function bringUp(scheduler: Scheduler, id: string, now = 0): void {
  for (let i = 0; i < 2; i++) scheduler.probed(id, true, now, 0);
}

/** A candidate that a test can change. */
export interface TestCandidate extends Candidate {
  weight: number;
  inFlight: number;
  available: boolean;
}

/** Candidates with these weights, idle and available, named a, b, c … */
export function candidatesOf(weights: readonly number[]): TestCandidate[] {
  return weights.map((weight, index) => ({
    id: String.fromCharCode(97 + index),
    index,
    order: index,
    weight,
    inFlight: 0,
    available: true,
  }));
}
