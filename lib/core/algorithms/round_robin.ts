import { SmoothGroups } from "./_smooth_groups.ts";
import { define } from "./_definition.ts";
import type { Algorithm, Candidate, PickDetails, PickTrace, Tried } from "./algorithm.ts";

/**
 * `round-robin`: backends take turns in proportion to weight, and the turns of a heavy backend are spread out.
 *
 * Rule: at each pick `current_i += weight_i` for every available backend; the backend with the largest `current` (the
 * first of equal ones) is picked, and its `current` is reduced by `Σ weight`. Weights 5, 1, 1 give `a a b a c a a`.
 *
 * Source: nginx, `ngx_stream_upstream_round_robin.c`.
 */
export class RoundRobin implements Algorithm {
  readonly #turns = new SmoothGroups(() => 0);

  add(candidate: Candidate): void {
    this.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#turns.delete(candidate);
  }

  update(candidate: Candidate): void {
    if (candidate.available) this.#turns.place(candidate, 0);
    else this.#turns.take(candidate);
  }

  reordered(): void {
    this.#turns.reorder();
  }

  pick(_client: string, _now: number, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    return this.#turns.pick(trace, tried);
  }

  details(): PickDetails {
    return this.#turns.details();
  }
}

/** The parameters of `round-robin`, and the function that creates it. */
export const roundRobin = define({
  parameters: {},
  summary: () => "backends take turns, in proportion to weight",
  create: () => new RoundRobin(),
});
