import { Replicator, reportDigest, summarise } from "../study/mod.ts";
import type { RunDocument } from "./document.ts";
import { lengthOf } from "./session.ts";
import type { Exported } from "./types.ts";
import type { Warmups } from "./warmups.ts";

const EVENTS_PER_PIECE = 5_000;

/** The run as files, with the digest of `lbsim sim`. Each step yields the progress as a share. */
export function* exported(document: RunDocument, warmups: Warmups): Generator<number, Exported> {
  const { study, text, files } = document.exported();
  const scenarios = yield* withProgress(warmups.of(document));
  const replicator = new Replicator(study, scenarios);
  const results = [];
  for (const [variant, scenario] of scenarios.entries()) {
    const simulation = replicator.simulation({ variant, replication: 0 });
    const length = lengthOf(scenario);
    while (!simulation.isOver) {
      simulation.advance(Infinity, EVENTS_PER_PIECE);
      const share = Math.min(1, Math.max(0, simulation.world.queue.time) / length);
      yield (variant + share) / scenarios.length;
    }
    results.push([simulation.result()]);
  }
  return { text, files, digest: reportDigest(study.seed, summarise(study, results)) };
}

/** Does work that adds nothing to the progress. */
function* withProgress<T>(work: Generator<unknown, T>): Generator<number, T> {
  let piece = work.next();
  for (; !piece.done; piece = work.next()) yield 0;
  return piece.value;
}
