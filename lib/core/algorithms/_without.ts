import type { Candidate, Tried } from "./algorithm.ts";

/** Candidates that are in the running, each of which can be taken out of it for a while. */
export interface Running {
  takeOut(candidate: Candidate): void;
  /** Takes a candidate in again. */
  update(candidate: Candidate): void;
}

/** Picks while some candidates, all of which are available, are not in the running. */
export function without<Picked>(running: Running, tried: Tried, pick: () => Picked): Picked {
  for (const candidate of tried) running.takeOut(candidate);
  try {
    return pick();
  } finally {
    for (const candidate of tried) running.update(candidate);
  }
}
