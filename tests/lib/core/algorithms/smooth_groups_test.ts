import assert from "node:assert/strict";
import fc from "fast-check";
import { SmoothGroups } from "../../../../lib/core/algorithms/_smooth_groups.ts";
import { candidatesOf, type TestCandidate } from "../../../support/scheduling.ts";

/** nginx's rule, word for word: a scan over all, in order. */
class PlainScan {
  readonly #current = new Map<string, number>();

  constructor(private readonly score: (candidate: TestCandidate) => number) {}

  pick(candidates: readonly TestCandidate[]): TestCandidate | undefined {
    const available = candidates.filter(({ available }) => available);
    const lowest = Math.min(...available.map(this.score));
    const tied = available.filter((candidate) => this.score(candidate) === lowest);
    let total = 0;
    let best: TestCandidate | undefined;
    for (const candidate of tied) {
      const current = (this.#current.get(candidate.id) ?? 0) + candidate.weight;
      this.#current.set(candidate.id, current);
      total += candidate.weight;
      if (best === undefined || current > this.#current.get(best.id)!) best = candidate;
    }
    if (best !== undefined) this.#current.set(best.id, this.#current.get(best.id)! - total);
    return best;
  }
}

const SCORES: Readonly<Record<string, (load: number, weight: number) => number>> = {
  "round-robin": () => 0,
  "least-connections": (load, weight) => (load + 1) / weight,
};

const step = fc.record({
  index: fc.nat({ max: 7 }),
  what: fc.constantFrom("pick", "pick", "pick", "release", "toggle", "weigh"),
  weight: fc.integer({ min: 1, max: 5 }),
});

for (const [name, score] of Object.entries(SCORES)) {
  Deno.test(`SmoothGroups picks as a plain scan does, for ${name}`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 }),
        fc.array(step, { minLength: 1, maxLength: 300 }),
        (weights, steps) => {
          const candidates = candidatesOf(weights);
          const loadOf = (candidate: TestCandidate) =>
            name === "round-robin" ? 0 : candidate.inFlight;
          const groups = new SmoothGroups(score);
          const scan = new PlainScan((candidate) => score(loadOf(candidate), candidate.weight));
          const refresh = (candidate: TestCandidate) => {
            if (candidate.available) groups.place(candidate, loadOf(candidate));
            else groups.take(candidate);
          };
          candidates.forEach(refresh);
          for (const { index, what, weight } of steps) {
            const candidate = candidates[index % candidates.length]!;
            if (what === "toggle") candidate.available = !candidate.available;
            if (what === "weigh") candidate.weight = weight;
            if (what === "release" && candidate.inFlight > 0) candidate.inFlight--;
            refresh(candidate);
            if (what !== "pick") continue;
            const expected = scan.pick(candidates);
            const picked = groups.pick() as TestCandidate | undefined;
            assert.equal(picked?.id, expected?.id);
            if (picked === undefined) continue;
            picked.inFlight++;
            refresh(picked);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
}
