import { childSeed } from "../base/mod.ts";
import { KeyedRandom } from "../stats/mod.ts";

/**
 * The random decisions about the attempts at a request. The draws depend only on the request's origin and number and
 * on the number of the attempt. So in every variant and in both worlds, an attempt goes to the same balancer, and the
 * same draws decide whether it fails.
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

  /** A number in [0, 1). A backend whose share of immediate errors is above this number answers with an error. */
  fastError(origin: number, nth: number, attempt: number): number {
    return this.#fastErrors.seek(origin, nth, attempt).next();
  }

  /** A number in [0, 1). A backend whose share of errors is above this number serves the request, then fails. */
  failure(origin: number, nth: number, attempt: number): number {
    return this.#failures.seek(origin, nth, attempt).next();
  }
}
