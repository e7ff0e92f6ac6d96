import { type Aged, AgeList } from "../age_list.ts";
import type { Random } from "../random.ts";
import { Lottery } from "./_lottery.ts";
import type { Algorithm, Candidate, PickTrace } from "./algorithm.ts";

/** A candidate's place in the idle queue. */
interface Place extends Aged<Place> {
  readonly candidate: Candidate;
  queued: boolean;
}

/**
 * `join-idle-queue`: a backend that becomes idle joins a queue, and the next connection goes to the one
 * that has waited longest. Only when nobody is idle is it drawn by lot, in proportion to weight. A pick
 * compares no loads: backends make themselves known.
 *
 * Source: Y. Lu et al., "Join-Idle-Queue: a novel load balancing algorithm for dynamically scalable web
 * services", Performance Evaluation 68(11), 2011.
 */
export class JoinIdleQueue implements Algorithm {
  readonly #lottery: Lottery;
  readonly #idle = new AgeList<Place>();
  readonly #places: (Place | undefined)[] = [];

  constructor(random: Random) {
    this.#lottery = new Lottery(random);
  }

  add(candidate: Candidate): void {
    this.#places[candidate.index] = {
      candidate,
      queued: false,
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
    const isIdle = candidate.available && candidate.inFlight === 0;
    this.#queue(this.#places[candidate.index]!, isIdle);
  }

  pick(_client: string, _now: number, trace?: PickTrace): Candidate | undefined {
    const idle = this.#idle.oldest?.candidate;
    if (idle !== undefined) {
      if (trace !== undefined) {
        let position = 0;
        for (const { candidate } of this.#idle) trace.considered(candidate, position++);
        trace.decided("has been idle for longest");
      }
      return idle;
    }
    const drawn = this.#lottery.draw();
    if (trace !== undefined && drawn !== undefined) {
      this.#lottery.forEach((candidate, chance) => trace.considered(candidate, chance));
      trace.decided("nobody is idle: drawn at random, in proportion to weight");
    }
    return drawn;
  }

  /** Lets it join the queue, or leave. */
  #queue(place: Place, isIdle: boolean): void {
    if (place.queued === isIdle) return;
    place.queued = isIdle;
    if (isIdle) this.#idle.add(place);
    else this.#idle.delete(place);
  }
}
