import { formatDuration, type Nanoseconds, NS_PER_S, UserError } from "../../lib/base/mod.ts";
import type { Arrivals, Scenario } from "../../lib/scenario/types.ts";
import { meanOf } from "../../lib/stats/mod.ts";
import type { World } from "./world.ts";

const HOUR = 3600 * NS_PER_S;
/** Events at one instant that are no cause for suspicion, and as many more for each request there may be. */
const AT_ONCE = 1_000_000;
const AT_ONCE_EACH = 100;
/** So many events at one instant are worth a look at how many there may be. */
export const MANY_AT_ONCE = 1000;
/** If no request ends for this many times the length of a run, the run does not wait for the rest. */
const QUIET_RUNS = 10;
const QUIET_TIMEOUTS = 2;

/**
 * Sees that a run would never end: because virtual time stands still, because no more clients can come,
 * or because what is still to come is too far away.
 */
export class Liveness {
  readonly #world: World;
  /** Probes and flaps may still bring an end to what hangs. */
  readonly #mayRevive: boolean;
  #limit = AT_ONCE;
  #inFlight = Infinity;
  #endedAt: Nanoseconds = 0;

  constructor(world: World) {
    this.#world = world;
    const { balancer, faults } = world.scenario;
    this.#mayRevive = faults.some(({ kind }) => kind.name === "flap") ||
      (balancer.onDown === "close" && balancer.healthCheck.type !== "none");
  }

  /**
   * So many events have happened at one instant, `MANY_AT_ONCE` or a multiple of it.
   *
   * @throws {UserError} if there is no end to them.
   */
  requireProgress(events: number): void {
    if (events === MANY_AT_ONCE) {
      const { connections, scenario: { workload } } = this.#world;
      const clients = connections.all.length + comingAtOnce(workload.arrivals);
      const requests = meanOf(workload.requestsPerConnection) * (1 + workload.retries.max);
      this.#limit = AT_ONCE + AT_ONCE_EACH * clients * requests;
    }
    if (events > this.#limit) this.#rejectStandstill(events);
  }

  /** Nothing that is scheduled can bring about anything more. */
  get isStuck(): boolean {
    const { queue } = this.#world;
    return queue.idle && (!this.#mayRevive || queue.time - queue.awaitedAt > HOUR);
  }

  /** Clients have stopped coming, and no request has ended for so long that the rest is not waited for. */
  isQuiet(end: Nanoseconds): boolean {
    const { queue, recorder, scenario: { workload: { timeout } } } = this.#world;
    if (recorder.inFlight !== this.#inFlight) {
      this.#inFlight = recorder.inFlight;
      this.#endedAt = queue.time;
      return false;
    }
    const patience = timeout === Infinity ? 0 : QUIET_TIMEOUTS * timeout;
    return queue.time - this.#endedAt > Math.max(HOUR, QUIET_RUNS * end, patience);
  }

  /** @throws {UserError} For a run that is to end by a count of connections which it will never reach. */
  rejectUnreachableCount(asked: number): never {
    const { recorder, scenario: { workload: { arrivals } } } = this.#world;
    const came = `${recorder.connections} of ${asked} measured connections have come`;
    const why = arrivals.kind === "trace"
      ? `the trace has ${arrivals.entries.length} connections, and those during the warm-up are not measured`
      : "every client waits for an answer that never comes";
    throw new UserError(`no more clients can come: ${came}`, {
      exitCode: 2,
      hint: `${why}: reduce \`connections\`, or use \`duration\` instead`,
    });
  }

  #rejectStandstill(events: number): never {
    const { queue, scenario: { workload } } = this.#world;
    throw new UserError(
      `virtual time does not advance at ${formatDuration(queue.time)}: ` +
        `${events} events at the same instant, without an end`,
      { exitCode: 2, hint: hintFor(workload) },
    );
  }
}

/** What keeps time from passing, as far as the workload shows it. */
function hintFor({ arrivals, retries }: Scenario["workload"]): string {
  if (arrivals.kind === "closed") {
    return "a client of the closed loop that is answered or refused at once connects again at once: " +
      "set a `think` time or a network latency";
  }
  if (retries.max > 0 && retries.backoff === 0) {
    return "a refused client tries again at once: set `workload.retries.backoff`";
  }
  return "clients, or the requests on a connection, follow each other without a pause: " +
    "reduce the rate, or set a `think_time`";
}

/** How many clients may come at one instant besides those that are there. */
function comingAtOnce(arrivals: Arrivals): number {
  if (arrivals.kind === "trace") return arrivals.entries.length;
  return arrivals.kind === "closed" ? arrivals.clients : 0;
}
