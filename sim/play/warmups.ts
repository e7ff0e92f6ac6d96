import { type ReadyScenario, warmupsInPieces } from "../study/mod.ts";
import type { RunDocument } from "./document.ts";
import type { Pause } from "./session.ts";

const EVENTS_PER_PIECE = 5_000;

/** Finds the warm-ups of documents. A pilot run takes time, so its result is kept. */
export class Warmups {
  #key: string | undefined;
  #lengths: readonly number[] = [];

  /** The scenarios of a document with their warm-ups, in pieces. */
  *of({ study: { seed, variants } }: RunDocument): Generator<Pause, readonly ReadyScenario[]> {
    const scenarios = variants.map(({ scenario }) => scenario);
    if (scenarios.every(({ warmup }) => warmup !== "auto")) return scenarios as ReadyScenario[];
    // A pilot run has neither faults nor changes.
    const key = JSON.stringify([
      seed,
      scenarios.map((scenario) => ({ ...scenario, faults: [], changes: [] })),
    ]);
    if (key !== this.#key) {
      const pieces = warmupsInPieces(scenarios, seed, EVENTS_PER_PIECE);
      let piece = pieces.next();
      for (; !piece.done; piece = pieces.next()) yield "work";
      this.#lengths = piece.value.map(({ warmup }) => warmup);
      this.#key = key;
    }
    return scenarios.map((scenario, i) => ({ ...scenario, warmup: this.#lengths[i]! }));
  }
}
