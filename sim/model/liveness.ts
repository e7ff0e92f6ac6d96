import { formatDuration, type Nanoseconds, NS_PER_S, UserError } from "../../lib/base/mod.ts";
import type { Arrivals, Scenario } from "../../lib/scenario/types.ts";
import { meanOf } from "../../lib/stats/mod.ts";
import type { World } from "./world.ts";

const HOUR = 3600 * NS_PER_S;
/** The largest normal number of events at one instant; each possible request adds the same number. */
const AT_ONCE = 1_000_000;
const AT_ONCE_EACH = 100;
/** From this many events at one instant on, the number is compared with a limit. */
export const MANY_AT_ONCE = 1000;
/** More events than these take about an hour. */
const EVENTS_MAX = 2e9;
/** If no request ends for this many times the length of a run, the run does not wait for the remaining requests. */
const QUIET_RUNS = 10;
const QUIET_TIMEOUTS = 2;

/**
 * Detects a run that would never end: virtual time stands still, no more clients can come, or the remaining
 * events are too far in the future.
 */
export class Liveness {
  readonly #world: World;
  /** Whether probes or flaps can still end connections that hang. */
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
   * Called at `MANY_AT_ONCE` events at one instant, and at each multiple of it. Time that advances by at most a
   * nanosecond per event counts as one instant, if the run would need more than `EVENTS_MAX` events at this pace.
   *
   * @param since When the first of these events happened.
   * @throws {UserError} if there are more events than the scenario can explain.
   */
  requireProgress(events: number, since: Nanoseconds): void {
    if (events === MANY_AT_ONCE) {
      const { connections, scenario: { workload } } = this.#world;
      const clients = connections.all.length + comingAtOnce(workload.arrivals);
      const requests = meanOf(workload.requestsPerConnection) * (1 + workload.retries.max);
      this.#limit = AT_ONCE + AT_ONCE_EACH * clients * requests;
    }
    if (events > this.#limit && this.#isEndless(events, since)) {
      this.#rejectStandstill(events, since);
    }
  }

  /** Whether no scheduled event can change anything any more. */
  get isStuck(): boolean {
    const { queue } = this.#world;
    return queue.idle && (!this.#mayRevive || queue.time - queue.awaitedAt > HOUR);
  }

  /**
   * Whether clients have stopped and no request has ended for so long that the run does not wait for the
   * rest.
   */
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

  /**
   * @throws {UserError} Always: the run should end after a number of connections that it will never reach.
   */
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

  #isEndless(events: number, since: Nanoseconds): boolean {
    const { queue: { time }, scenario: { end } } = this.#world;
    if (time === since) return true;
    return "duration" in end && events / (time - since) * (end.duration - time) > EVENTS_MAX;
  }

  #rejectStandstill(events: number, since: Nanoseconds): never {
    const { queue: { time }, scenario: { workload } } = this.#world;
    const at = formatDuration(time);
    throw new UserError(
      time === since
        ? `virtual time does not advance at ${at}: ${events} events at the same instant, without an end`
        : `virtual time hardly advances at ${at}: ${events} events in ${
          formatDuration(time - since)
        }, without an end`,
      { exitCode: 2, hint: hintFor(workload) },
    );
  }
}

/** Why virtual time stands still, as far as the workload shows it. */
function hintFor({ arrivals, retries }: Scenario["workload"]): string {
  if (arrivals.kind === "closed") {
    return "a client of the closed loop that is answered or refused at once connects again at once: " +
      "set a longer `think` time or a network latency";
  }
  if (retries.max > 0 && retries.backoff === 0) {
    return "a refused client tries again at once: set `workload.retries.backoff`";
  }
  return "clients, or the requests on a connection, follow each other without a pause: " +
    "reduce the rate, or set a `think_time`";
}

/** The number of clients that can arrive at one instant, besides those that are connected. */
function comingAtOnce(arrivals: Arrivals): number {
  if (arrivals.kind === "trace") return arrivals.entries.length;
  return arrivals.kind === "closed" ? arrivals.clients : 0;
}
