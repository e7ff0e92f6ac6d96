import type { Config } from "../lib/config/mod.ts";
import { childSeed, createRandom, type Nanoseconds, UserError } from "../lib/base/mod.ts";
import {
  type BackendMode,
  EventStream,
  Explanation,
  type PickExplained,
  Scheduler,
  type SessionRecord,
} from "../lib/core/mod.ts";
import { refusalInWords } from "../lib/observe/mod.ts";

/** The assumed state of a backend, where it differs from the configuration. */
export interface AssumedState {
  readonly inFlight?: number;
  readonly isDown?: boolean;
  readonly mode?: BackendMode;
}

/** The backend that a client would get, and why. */
export type ExplainedPick = Omit<PickExplained, "at_ms" | "type" | "connection">;

/**
 * Computes which backend a client would get if the backends had these states.
 *
 * @param seed The seed of the random choices.
 * @param session The client's session, if it has one.
 * @throws {UserError} if a backend cannot have this many connections in flight.
 */
export function explain(
  config: Config,
  states: ReadonlyMap<string, AssumedState>,
  client: string,
  seed: number,
  session?: SessionRecord<string>,
): ExplainedPick {
  const events = new EventStream((failure) => {
    throw failure;
  });
  const { backends, healthCheck } = config;
  // Without slow start, all backends have their full weight; `connections` must not limit the assumed connections.
  const { slowStart: _, ...rest } = config;
  const asked = { ...rest, limits: { ...rest.limits, connections: Infinity } };
  const scheduler = new Scheduler(
    { ...asked, ...OPEN_TO_ALL, backends: backends.map((one) => ({ ...one, ...IDLE })) },
    events,
    createRandom(seed),
  );
  for (const { id } of backends) scheduler.probed(id, true, 0, 0);
  for (const [id, { inFlight = 0 }] of states) {
    if (inFlight > 0) occupy(scheduler, id, inFlight);
  }
  scheduler.reconfigure(asked, 0);
  for (const { id } of backends) {
    const { isDown = false, mode } = states.get(id) ?? {};
    if (isDown) {
      for (let i = 0; i < healthCheck.fall; i++) scheduler.probed(id, false, 0, 0);
    }
    if (mode !== undefined) scheduler.setMode(id, mode, 0);
  }
  if (session !== undefined) scheduler.restore([session], 0);
  let result: PickExplained | undefined;
  events.subscribe("explanation", ["pick_explained"], (event) => result = event);
  const connection = scheduler.accept(client, 0);
  if (connection.refusal === undefined) connection.assign(0);
  if (result === undefined) {
    // The client is refused before a backend is picked.
    const { refusal } = connection;
    const rule = refusal === undefined ? "" : refusalInWords(refusal);
    const { candidates } = new Explanation(scheduler.backends);
    return { client, backend: null, rule, candidates };
  }
  const { backend, rule, candidates } = result;
  const waits = connection.phase === "waiting";
  return {
    client,
    backend,
    rule: waits ? "every backend is full: the client waits" : rule,
    candidates,
  };
}

/**
 * The backend that a client would get now, and why. It opens no connection, and changes neither the turns nor the
 * random numbers of the scheduler.
 *
 * @throws {UserError} as `explain` does.
 */
export function explainNow(
  { scheduler, config }: Explained,
  client: string,
  now: Nanoseconds,
): ExplainedPick {
  const states = new Map<string, AssumedState>(scheduler.backends.map((backend) => [backend.id, {
    inFlight: backend.inFlight,
    isDown: backend.health.state !== "up" || backend.ejection?.ejected === true,
    mode: backend.mode,
  }]));
  const session = scheduler.sessionOf(client, now);
  const record: SessionRecord<string> | undefined = session && {
    key: session.key,
    backend: session.backend.id,
    home: session.home.id,
    changedAt: 0,
    usedAt: 0,
  };
  return explain(config, states, client, childSeed(1, client), record);
}

/** The parts of a running balancer that an explanation needs. */
interface Explained {
  readonly scheduler: Scheduler;
  readonly config: Config;
}

/** Limits under which no client is refused, waits or sticks, while the connections in flight are set up. */
const OPEN_TO_ALL = {
  allow: undefined,
  deny: undefined,
  queue: undefined,
  sticky: undefined,
  limits: { connections: Infinity },
};
/** A backend that gets no clients until its connections in flight are set up. The weight does not matter then. */
const IDLE = { weight: 1, mode: "maintenance" } as const;

function occupy(scheduler: Scheduler, id: string, inFlight: number): void {
  scheduler.setMode(id, "ready", 0);
  for (let i = 0; i < inFlight; i++) {
    if (scheduler.accept(`in flight ${i}`, 0).assign(0).kind === "connect") continue;
    throw new UserError(`--state: ${id} cannot have ${inFlight} in flight: it is full at ${i}`, {
      exitCode: 2,
    });
  }
  scheduler.setMode(id, "maintenance", 0);
}
