import { type Aged, AgeList, type Random } from "../../base/mod.ts";
import { Lottery } from "./_lottery.ts";
import { define } from "./_definition.ts";
import type { Algorithm, Candidate, PickDetails, PickTrace, Tried } from "./algorithm.ts";

const NONE_IDLE = "none is idle: drawn at random, in proportion to weight";

/** A candidate's place in the idle queue. */
interface Place extends Aged<Place> {
  readonly candidate: Candidate;
  queued: boolean;
  /** Whether it has reported that it is idle, and has got no connection from this balancer since then. */
  reported: boolean;
  /** Its latest number of connections in flight; used only if backends report. */
  inFlight: number;
}

/**
 * `join-idle-queue`: a backend that becomes idle joins a queue, and the next connection goes to the backend that has
 * waited longest. If the queue is empty, a backend is drawn at random, in proportion to weight. A pick compares no
 * loads.
 *
 * In the source, a backend knows when it is idle and joins the queue of one balancer. This class does the same if
 * backends report, which is possible only in the simulator. Over opaque TCP a backend reports nothing: it counts as
 * idle when it has no connection from this balancer. With one balancer this gives the same result. With several
 * balancers it is another algorithm with longer latencies, because each balancer sends connections to backends that
 * are busy with connections of the others.
 *
 * Source: Y. Lu et al., "Join-Idle-Queue: a novel load balancing algorithm for dynamically scalable web services",
 * Performance Evaluation 68(11), 2011.
 */
export class JoinIdleQueue implements Algorithm {
  readonly #lottery: Lottery;
  readonly #idle = new AgeList<Place>();
  readonly #places: (Place | undefined)[] = [];
  readonly #backendsReport: boolean;

  /**
   * @param backendsReport Whether backends report when they are idle. Otherwise a backend without a connection counts
   *   as idle.
   */
  constructor(random: Random, backendsReport: boolean) {
    this.#lottery = new Lottery(random);
    this.#backendsReport = backendsReport;
  }

  add(candidate: Candidate): void {
    this.#places[candidate.index] = {
      candidate,
      queued: false,
      reported: false,
      inFlight: candidate.inFlight,
      older: undefined,
      younger: undefined,
    };
    this.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#lottery.takeOut(candidate);
    this.#queue(this.#places[candidate.index]!, false);
  }

  update(candidate: Candidate): void {
    this.#lottery.update(candidate);
    this.loadChanged(candidate);
  }

  loadChanged(candidate: Candidate): void {
    const place = this.#places[candidate.index]!;
    const isIdle = this.#backendsReport ? stillReported(place) : candidate.inFlight === 0;
    this.#queue(place, candidate.available && isIdle);
  }

  reportedIdle(candidate: Candidate): void {
    this.#places[candidate.index]!.reported = true;
    this.loadChanged(candidate);
  }

  pick(_client: string, _now: number, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    let place = this.#idle.oldest;
    while (place !== undefined && tried?.includes(place.candidate)) place = place.younger;
    if (place !== undefined) {
      if (trace !== undefined) {
        let position = 0;
        for (const { candidate } of this.#idle) {
          if (!tried?.includes(candidate)) trace.considered(candidate, position++);
        }
        trace.decided("has been idle for longest");
      }
      return place.candidate;
    }
    return this.#lottery.pick(NONE_IDLE, trace, tried);
  }

  details(): PickDetails {
    return { kind: "idle", backends: Array.from(this.#idle, ({ candidate }) => candidate.id) };
  }

  /** Adds a backend to the queue if it is idle; otherwise removes it. */
  #queue(place: Place, isIdle: boolean): void {
    if (place.queued === isIdle) return;
    place.queued = isIdle;
    if (isIdle) this.#idle.add(place);
    else this.#idle.delete(place);
  }
}

/** Whether a backend has reported that it is idle, and has got no connection from this balancer since then. */
function stillReported(place: Place): boolean {
  const { inFlight } = place.candidate;
  if (inFlight > place.inFlight) place.reported = false;
  place.inFlight = inFlight;
  return place.reported;
}

/** The parameters of `join-idle-queue`, and the function that creates it. */
export const joinIdleQueue = define({
  parameters: {
    /** Whether backends report that they are idle, each to one balancer: `Scheduler.reportIdle`. */
    backendsReport: { kind: "hidden", default: false as boolean },
  },
  summary: () => "the backend that has been idle for the longest time; at random if none is idle",
  create: ({ backendsReport }, random) => new JoinIdleQueue(random, backendsReport),
});
