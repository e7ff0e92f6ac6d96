import { type Nanoseconds, NS_PER_MS, NS_PER_S, type Random } from "../../base/mod.ts";
import { PeakAverages } from "./_latency.ts";
import { Sampler } from "./_sampler.ts";
import { define } from "./_definition.ts";
import type { Algorithm, Candidate, PickDetails, PickTrace, Tried } from "./algorithm.ts";

const RULE = "of two backends drawn, the one with the least latency × (in flight + 1) / weight";

/** Longer than any latency: a backend that has a connection and has never answered loses to one that has answered. */
const PENALTY: Nanoseconds = 1e6 * NS_PER_S;

/**
 * `peak-ewma`: of two backends drawn, the one whose answer is expected first. The estimate uses the latency of
 * earlier answers and the number of connections in flight. A slow answer counts at once, a fast one gradually.
 *
 * Rule: draw as `power-of-two` does, and minimise `ewma · (in_flight + 1) / weight`, where `ewma` is the
 * peak-sensitive average of the time from the pick to the first byte of the answer. A wait that ends without an
 * answer counts if it was longer than the average, because a silent backend is slow. For a backend that has never
 * answered, `initial` is assumed while it is idle; while it has connections, a penalty is added to its number in
 * flight.
 *
 * Source: Finagle, `PeakEwma.scala`; linkerd2, `tower::load::peak_ewma`.
 */
export class PeakEwma implements Algorithm {
  readonly #initial: Nanoseconds;
  readonly #averages: PeakAverages;
  readonly #sampler: Sampler;
  /** For explanations. */
  readonly #members = new Set<Candidate>();

  /**
   * @param decay τ: after this time, the weight of an observation has fallen to 1/e.
   * @param initial The latency that is assumed for a backend that has not answered yet.
   */
  constructor(decay: Nanoseconds, initial: Nanoseconds, random: Random) {
    this.#initial = initial;
    this.#averages = new PeakAverages(decay);
    this.#sampler = new Sampler(2, random, (candidate) => this.#cost(candidate));
  }

  add(candidate: Candidate): void {
    this.#averages.reset(candidate.index);
    this.#members.add(candidate);
    this.#sampler.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#sampler.remove(candidate);
    this.#members.delete(candidate);
  }

  update(candidate: Candidate): void {
    this.#sampler.update(candidate);
  }

  answered({ index }: Candidate, latency: Nanoseconds, _others: number, now: Nanoseconds): void {
    this.#averages.observe(index, latency, now);
  }

  unanswered({ index }: Candidate, waited: Nanoseconds, _others: number, now: Nanoseconds): void {
    const averages = this.#averages;
    averages.advance(now);
    // Only a wait that is longer than the expected latency changes the average.
    const expected = averages.isKnown(index) ? averages.current(index) : this.#initial;
    if (waited > expected) averages.observe(index, waited, now);
  }

  pick(_client: string, now: Nanoseconds, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    this.#averages.advance(now);
    return this.#sampler.pick(RULE, trace, tried);
  }

  details(_client: string, now: Nanoseconds): PickDetails {
    const members = [...this.#members].sort((a, b) => a.order - b.order);
    return {
      kind: "latencies",
      backends: members.map(({ id }) => id),
      latency_ms: members.map(({ index }) => this.#averages.at(index, now) / NS_PER_MS),
    };
  }

  #cost({ index, inFlight, weight }: Candidate): number {
    const averages = this.#averages;
    if (averages.isKnown(index)) return averages.current(index) * (inFlight + 1) / weight;
    return inFlight === 0 ? this.#initial / weight : PENALTY + inFlight / weight;
  }
}

/** The parameters of `peak-ewma`, and the function that creates it. */
export const peakEwma = define({
  parameters: {
    decay: {
      kind: "duration",
      of: "latency",
      default: 10 * NS_PER_S,
      means: "time constant of the moving average of the latency",
    },
    initial: {
      kind: "duration",
      of: "latency",
      default: 30 * NS_PER_MS,
      means: "latency assumed for a backend that has not answered yet",
    },
  },
  summary: () =>
    "of two backends drawn at random, the one with the lowest latency times connections in flight",
  create: ({ decay, initial }, random) => new PeakEwma(decay, initial, random),
});
