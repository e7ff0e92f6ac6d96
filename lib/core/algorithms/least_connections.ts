import { SmoothGroups } from "./_smooth_groups.ts";
import { define } from "./_definition.ts";
import type { Algorithm, Candidate, PickTrace, Tried } from "./algorithm.ts";

/**
 * `least-connections`: the backend that would be least loaded *with* the new connection.
 *
 * Rule: minimise `(in_flight_i + 1) / weight_i`. Equal backends take turns by smooth weighted round-robin, so the
 * first connection after an idle time does not always go to the same backend. Because of the `+ 1`, the first
 * connection goes to the idle backend with the largest weight.
 *
 * Source: nginx, `ngx_stream_upstream_least_conn_module.c`; IPVS, shortest expected delay.
 */
export class LeastConnections implements Algorithm {
  readonly #turns = new SmoothGroups((inFlight, weight) => (inFlight + 1) / weight);

  add(candidate: Candidate): void {
    this.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#turns.delete(candidate);
  }

  update(candidate: Candidate): void {
    if (candidate.available) this.#turns.place(candidate, candidate.inFlight);
    else this.#turns.take(candidate);
  }

  reordered(): void {
    this.#turns.reorder();
  }

  loadChanged(candidate: Candidate): void {
    this.update(candidate);
  }

  pick(_client: string, _now: number, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    return this.#turns.pick(trace, tried);
  }
}

/** The parameters of `least-connections`, and the function that creates it. */
export const leastConnections = define({
  parameters: {},
  summary: () => "the backend with the fewest connections in flight, divided by weight",
  create: () => new LeastConnections(),
});
