import type { Candidate, Tried } from "./algorithm.ts";

/** Candidates that can be picked. Each of them can be removed for a while. */
export interface Running {
  takeOut(candidate: Candidate): void;
  /** Adds a candidate again. */
  update(candidate: Candidate): void;
}

/** Picks without some candidates, all of which are available. */
export function without<Picked>(running: Running, tried: Tried, pick: () => Picked): Picked {
  for (const candidate of tried) running.takeOut(candidate);
  try {
    return pick();
  } finally {
    for (const candidate of tried) running.update(candidate);
  }
}
