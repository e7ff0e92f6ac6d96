/**
 * Pictures of a run at one moment: the true state of the backends, their state as balancers see it, and the requests
 * in progress.
 */
import { type Nanoseconds, NS_PER_MS } from "../../lib/base/mod.ts";
import { conditionOf, type Scheduler } from "../../lib/core/mod.ts";
import {
  type Beliefs,
  CONDITIONS,
  type Counts,
  type Dots,
  NONE,
  type Phase,
  PHASES,
  type Truth,
} from "../../lib/observe/mod.ts";
import type { Picture } from "./shown_run.ts";
import type { ServerFault } from "../../lib/fault/mod.ts";
import {
  ANSWER,
  ANSWER_AT_BALANCER,
  ARRIVAL,
  BEGIN,
  CLOSE,
  CONNECT,
  CONNECT_REPLY,
  CONNECT_TIMEOUT,
  HAS_ROOM,
  NEXT_REQUEST,
  REACH_BALANCER,
  REQUEST,
} from "../engine/mod.ts";
import {
  ASSIGNED,
  AT_BACKEND,
  AWAITED,
  type BackendModel,
  type Connection,
  IN_SERVICE,
  IN_USE,
  OK,
  OPEN,
  PROBE,
  QUEUED,
  type World,
} from "../model/mod.ts";

/** The condition of a backend that is not in the configuration. */
const NOT_CONFIGURED = 255;

/** A world at one moment. */
export function pictureOf(world: World, now: Nanoseconds, dotsMax: number): Picture {
  const requests = requestsUnderWay(world);
  return {
    truth: truthOf(world),
    beliefs: world.balancers.map(({ scheduler, listening }) =>
      beliefsOf(scheduler, listening, world.backends)
    ),
    counts: countsOf(world),
    dots: requests.length <= dotsMax ? dotsOf(world, requests, now) : null,
    dots_total: requests.length,
  };
}

/** The true state of the backends. */
function truthOf({ backends, balancers }: World): Truth {
  const column = (read: (backend: BackendModel) => number) => Float32Array.from(backends, read);
  const scheduler = balancers[0]!.scheduler;
  return {
    ids: backends.map(({ id }) => id),
    state: Uint8Array.from(backends, (backend) => {
      const { down, silent, paused, gray, index } = backend;
      const isCut = balancers.some(({ cuts }) => cuts[index]! > 0);
      return (down ? 1 : 0) | (silent ? 2 : 0) | (paused ? 4 : 0) | (gray ? 8 : 0) |
        (isCut ? 16 : 0) | (backend.faulty || isCut ? 32 : 0);
    }),
    speed: column(({ server }) => server.speedNow),
    slots: column(({ server }) => server.slots),
    busy: column(({ server }) => server.busy),
    waiting: column(({ server }) => server.waiting),
    queue: column(({ server }) => server.queueLength),
    fail_rate: column(({ failRate, fastErrorRate }) => 1 - (1 - failRate) * (1 - fastErrorRate)),
    faults: backends.map((backend) =>
      [
        ...backend.faults.map(faultInWords),
        ...!backend.silent && balancers.some(({ cuts }) => cuts[backend.index]! > 0)
          ? ["partition"]
          : [],
      ].join(", ")
    ),
    configured: Uint8Array.from(
      backends,
      ({ id }) => scheduler.backend(id) === undefined ? 0 : 1,
    ),
  };
}

/** A fault in a few words: `slow ×5`. */
function faultInWords(kind: ServerFault): string {
  const percent = (share: number) => `${Number((100 * share).toPrecision(3))}%`;
  switch (kind.name) {
    case "slow":
      return `slow ×${kind.factor}`;
    case "fail-rate":
    case "fast-errors":
      return `${kind.name} ${percent(kind.rate)}`;
    case "gray":
      return `gray ${percent(kind.rate)}${kind.factor === 1 ? "" : ` ×${kind.factor}`}`;
    default:
      return kind.name;
  }
}

/** The state of the backends as a balancer sees it. */
export function beliefsOf(
  scheduler: Scheduler,
  listening: boolean,
  backends: readonly { readonly id: string }[],
): Beliefs {
  const own = backends.map(({ id }) => scheduler.backend(id));
  return {
    listening,
    waiting: scheduler.waiting,
    condition: Uint8Array.from(
      own,
      (backend) =>
        backend === undefined ? NOT_CONFIGURED : CONDITIONS.indexOf(conditionOf(backend)),
    ),
    available: Uint8Array.from(own, (backend) => backend?.available ? 1 : 0),
    in_flight: Float32Array.from(own, (backend) => backend?.inFlight ?? 0),
    limit: Float32Array.from(own, (backend) => backend?.maxConnections ?? Infinity),
    weight: Float32Array.from(own, (backend) => backend?.weight ?? 0),
  };
}

/** Requests since the end of the warm-up. */
function countsOf({ recorder: { requests } }: World): Counts {
  const { offered, done, failed, refused, timedOut, retried } = requests;
  return { offered, done, failed, refused, timed_out: timedOut, retried };
}

/** The phase of a connection that waits for an event of this kind. */
const PHASE_BY_KIND: Readonly<Record<number, Phase>> = {
  [REACH_BALANCER]: "to balancer",
  [CONNECT]: "connecting",
  [CONNECT_REPLY]: "connecting",
  [CONNECT_TIMEOUT]: "connecting",
  [HAS_ROOM]: "connecting",
  [REQUEST]: "to backend",
  [ANSWER_AT_BALANCER]: "returning",
  [ANSWER]: "returning",
  [BEGIN]: "before retry",
  [NEXT_REQUEST]: "thinking",
};

/** The number of each phase. */
export const PHASE_NUMBERS = Object.fromEntries(PHASES.map((phase, i) => [phase, i])) as Record<
  Phase,
  number
>;

/** Identifies an attempt at a request. */
export function requestNumber({ origin, nth, attempt }: Connection): number {
  return (Math.imul(origin, 1_000_003) + Math.imul(nth, 8191) + attempt) >>> 0;
}

/** The connections that are drawn as dots. */
function requestsUnderWay({ connections }: World): Connection[] {
  return connections.all.filter(({ flags, pending }) =>
    (flags & IN_USE) !== 0 && (flags & PROBE) === 0 &&
    ((flags & (AWAITED | AT_BACKEND | QUEUED)) !== 0 ||
      (flags & (ASSIGNED | OPEN)) === (ASSIGNED | OPEN) && pending !== 0)
  );
}

/** An array for this number of dots, without values. */
export function newDots(count: number): Dots {
  return {
    count,
    number: new Uint32Array(count),
    phase: new Uint8Array(count),
    progress: new Float32Array(count).fill(NaN),
    since_ms: new Float32Array(count),
    place: new Float32Array(count).fill(NaN),
    client: new Uint32Array(count),
    balancer: new Uint16Array(count).fill(NONE),
    backend: new Uint16Array(count).fill(NONE),
    attempt: new Uint8Array(count),
  };
}

/** The requests in progress as dots. */
function dotsOf(
  world: World,
  requests: readonly Connection[],
  now: Nanoseconds,
): Dots {
  const dots = newDots(requests.length);
  const legs = legsOf(world);
  requests.forEach((connection, i) => {
    const leg = legs.get(connection.number);
    const phase = phaseOf(connection, leg?.kind);
    const since = sinceOf(connection, phase, leg, now);
    dots.number[i] = requestNumber(connection);
    dots.phase[i] = PHASE_NUMBERS[phase];
    dots.since_ms[i] = (now - since) / NS_PER_MS;
    if (leg !== undefined) {
      const span = leg.end - since;
      dots.progress[i] = span > 0 ? Math.min(1, Math.max(0, (now - since) / span)) : 1;
    }
    dots.client[i] = connection.client;
    if (connection.balancer !== undefined) dots.balancer[i] = connection.balancer.index;
    const isBehindBalancer = phase !== "to balancer" && phase !== "queued at balancer" &&
      phase !== "before retry";
    if (isBehindBalancer && connection.picked !== undefined) {
      dots.backend[i] = connection.picked.index;
    }
    dots.attempt[i] = Math.min(255, connection.attempt);
  });
  setPlaces(requests, dots);
  return dots;
}

/** The event that a connection waits for. */
interface Leg {
  readonly kind: number;
  /** When the event was scheduled; NaN if that was too long ago to be known. */
  readonly from: Nanoseconds;
  readonly end: Nanoseconds;
}

function legsOf({ queue, connections }: World): Map<number, Leg> {
  const legs = new Map<number, Leg>();
  queue.forEach((end, kind, subject, sequence) => {
    if (kind >= ARRIVAL) return;
    if (connections.at(subject).pending !== sequence) return;
    legs.set(subject, { kind, from: queue.pushedAt(sequence), end });
  });
  return legs;
}

function phaseOf({ flags, pending, answer }: Connection, kind: number | undefined): Phase {
  if ((flags & QUEUED) !== 0) return "queued at balancer";
  if ((flags & AT_BACKEND) !== 0) {
    return (flags & IN_SERVICE) !== 0 ? "in service" : "queued at backend";
  }
  if (pending < 0 || kind === undefined) return "stuck";
  if (kind === CLOSE) return "returning";
  const phase = PHASE_BY_KIND[kind] ?? "stuck";
  return phase === "returning" && answer !== OK ? "failing" : phase;
}

/** The time since which a connection is in its phase. */
function sinceOf(
  { submittedAt, servedFrom, waited, scheduled, startedAt }: Connection,
  phase: Phase,
  leg: Leg | undefined,
  now: Nanoseconds,
): Nanoseconds {
  const known = (time: Nanoseconds | undefined) =>
    time === undefined || Number.isNaN(time) ? now : Math.min(time, now);
  switch (phase) {
    case "queued at balancer":
      return known(scheduled?.queuedAt);
    case "queued at backend":
      return known(submittedAt);
    case "in service":
      return known(submittedAt + (Number.isNaN(waited) ? 0 : waited));
    default: {
      if (leg === undefined) return known(startedAt);
      return known(Number.isNaN(leg.from) ? servedFrom : leg.from);
    }
  }
}

/** The places in queues and slots, in order of arrival. */
function setPlaces(requests: readonly Connection[], dots: Dots): void {
  const lines = new Map<string, { readonly i: number; readonly at: number }[]>();
  requests.forEach((connection, i) => {
    const phase = PHASES[dots.phase[i]!]!;
    if (phase !== "queued at balancer" && phase !== "queued at backend" && phase !== "in service") {
      return;
    }
    const where = phase === "queued at balancer" ? dots.balancer[i] : dots.backend[i];
    const at = phase === "queued at balancer"
      ? connection.scheduled?.queuedAt ?? 0
      : connection.submittedAt;
    const line = lines.get(`${phase} ${where}`);
    if (line === undefined) lines.set(`${phase} ${where}`, [{ i, at }]);
    else line.push({ i, at });
  });
  for (const line of lines.values()) {
    line.sort((a, b) => a.at - b.at || dots.number[a.i]! - dots.number[b.i]!);
    line.forEach(({ i }, place) => dots.place[i] = place);
  }
}
