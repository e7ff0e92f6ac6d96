import { childSeed } from "../base/mod.ts";
import { KeyedRandom } from "../stats/mod.ts";

/**
 * The random decisions about the attempts at a request. The draws depend only on the request's origin and number and
 * on the number of the attempt. So an attempt goes to the same balancer, and fails or not, in every variant and in
 * both worlds.
 */
export class Chances {
  readonly #balancers: KeyedRandom;
  readonly #fastErrors: KeyedRandom;
  readonly #failures: KeyedRandom;

  constructor(seed: number) {
    this.#balancers = new KeyedRandom(childSeed(seed, "choice of balancer"));
    this.#fastErrors = new KeyedRandom(childSeed(seed, "fate", "fast"));
    this.#failures = new KeyedRandom(childSeed(seed, "fate", "fail"));
  }

  /** The index of the balancer to which the client connects, for a number of balancers. */
  balancer(origin: number, nth: number, attempt: number, count: number): number {
    if (count === 1) return 0;
    return Math.floor(this.#balancers.seek(origin, nth, attempt).next() * count);
  }

  /** A number in [0, 1). A backend whose share of immediate errors is above it answers with one. */
  fastError(origin: number, nth: number, attempt: number): number {
    return this.#fastErrors.seek(origin, nth, attempt).next();
  }

  /** A number in [0, 1). A backend whose share of errors is above it serves the request and fails. */
  failure(origin: number, nth: number, attempt: number): number {
    return this.#failures.seek(origin, nth, attempt).next();
  }
}
