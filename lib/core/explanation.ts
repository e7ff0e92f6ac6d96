import type { Candidate, PickTrace } from "./algorithms/mod.ts";
import { type Backend, unavailability } from "./backend/mod.ts";
import type { ExplainedBackend } from "./events/mod.ts";

/** Records how one pick was decided, and the state of every backend at that moment. */
export class Explanation implements PickTrace {
  readonly #backends: readonly Omit<ExplainedBackend, "score">[];
  readonly #scores = new Map<string, number>();
  #rule = "no backend is available";

  /**
   * Create it just before the pick, so that the numbers in flight do not include the new connection.
   *
   * @param tried Backends that must not be picked; undefined if there are none.
   */
  constructor(backends: readonly Backend[], tried?: readonly Backend[]) {
    const isPrimaryAvailable = backends.some((backend) =>
      backend.available && !backend.backup && !tried?.includes(backend)
    );
    this.#backends = backends.map((backend) => {
      const unavailable = unavailability(backend) ??
        (tried?.includes(backend) ? "already tried" : undefined) ??
        (backend.backup && isPrimaryAvailable ? "backup, not needed" : undefined);
      return {
        backend: backend.id,
        weight: backend.weight,
        in_flight: backend.inFlight,
        ...unavailable !== undefined && { unavailable },
      };
    });
  }

  considered({ id }: Candidate, score: number): void {
    this.#scores.set(id, score);
  }

  decided(rule: string): void {
    this.#rule = rule;
  }

  /** The rule that decided. */
  get rule(): string {
    return this.#rule;
  }

  /** Every backend, in the order of the configuration. */
  get candidates(): ExplainedBackend[] {
    return this.#backends.map((backend) => {
      const score = this.#scores.get(backend.backend);
      return { ...backend, ...score !== undefined && { score } };
    });
  }
}
