import assert from "node:assert/strict";
import fc from "fast-check";
import { SmoothGroups } from "../../../../lib/core/algorithms/_smooth_groups.ts";
import { createRandom } from "../../../../lib/base/mod.ts";
import { candidatesOf, type TestCandidate } from "../../../support/scheduling.ts";

type Score = (load: number, weight: number) => number;

/** nginx's rule without changes: a scan over all candidates, in order. */
class PlainScan {
  readonly #current = new Map<TestCandidate, number>();

  constructor(private readonly score: Score) {}

  forget(candidate: TestCandidate): void {
    this.#current.delete(candidate);
  }

  pick(candidates: readonly TestCandidate[]): TestCandidate | undefined {
    const score = ({ inFlight, weight }: TestCandidate) => this.score(inFlight, weight);
    const available = candidates.filter(({ available }) => available);
    const lowest = Math.min(...available.map(score));
    let total = 0;
    let best: TestCandidate | undefined;
    for (const candidate of available.filter((candidate) => score(candidate) === lowest)) {
      const current = (this.#current.get(candidate) ?? 0) + candidate.weight;
      this.#current.set(candidate, current);
      total += candidate.weight;
      if (best === undefined || current > this.#current.get(best)!) best = candidate;
    }
    if (best !== undefined) this.#current.set(best, this.#current.get(best)! - total);
    return best;
  }
}

const SCORES: Readonly<Record<string, Score>> = {
  "round-robin": () => 0,
  "least-connections": (load, weight) => (load + 1) / weight,
};

/** `SmoothGroups` and the scan, which get the same changes. */
class SideBySide {
  readonly #candidates: TestCandidate[];
  readonly #groups: SmoothGroups;
  readonly #scan: PlainScan;

  constructor(score: Score, weights: readonly number[]) {
    this.#candidates = candidatesOf(weights);
    this.#groups = new SmoothGroups(score);
    this.#scan = new PlainScan(score);
    for (const candidate of this.#candidates) this.#refresh(candidate);
  }

  change(what: string, place: number, weight: number): void {
    const candidate = this.#candidates[place % this.#candidates.length]!;
    switch (what) {
      case "toggle":
        candidate.available = !candidate.available;
        break;
      case "weigh":
        candidate.weight = weight;
        break;
      case "release":
        candidate.inFlight = Math.max(candidate.inFlight - 1, 0);
        break;
      case "replace":
        return this.#replace(candidate, weight);
    }
    this.#refresh(candidate);
  }

  pick(): void {
    const expected = this.#scan.pick(this.#candidates);
    const picked = this.#groups.pick() as TestCandidate | undefined;
    assert.equal(picked, expected);
    if (picked === undefined) return;
    picked.inFlight++;
    this.#refresh(picked);
  }

  /** Removes a candidate, and gives its index to another one without history. */
  #replace(candidate: TestCandidate, weight: number): void {
    this.#groups.delete(candidate);
    this.#scan.forget(candidate);
    const heir = { ...candidate, weight, inFlight: 0, available: true };
    this.#candidates[candidate.index] = heir;
    this.#refresh(heir);
  }

  #refresh(candidate: TestCandidate): void {
    if (candidate.available) this.#groups.place(candidate, candidate.inFlight);
    else this.#groups.take(candidate);
  }
}

const CHANGES = ["release", "release", "toggle", "weigh", "replace"];

for (const [name, score] of Object.entries(SCORES)) {
  Deno.test(`SmoothGroups picks what nginx's scan picks, for ${name}`, () => {
    const weight = fc.integer({ min: 1, max: 5 });
    const weights = fc.array(weight, { minLength: 1, maxLength: 20, size: "max" });
    const step = fc.record({
      what: fc.constantFrom("pick", "pick", "pick", ...CHANGES),
      place: fc.nat({ max: 19 }),
      weight,
    });
    const steps = fc.array(step, { maxLength: 300, size: "max" });
    fc.assert(
      fc.property(weights, steps, (weights, steps) => {
        const both = new SideBySide(score, weights);
        for (const { what, place, weight } of steps) {
          if (what === "pick") both.pick();
          else both.change(what, place, weight);
        }
      }),
      { numRuns: 300 },
    );
  });

  Deno.test(`SmoothGroups picks what nginx's scan picks among hundreds of candidates, for ${name}`, () => {
    const random = createRandom(17);
    const below = (count: number) => Math.floor(random.next() * count);
    const both = new SideBySide(score, Array.from({ length: 300 }, () => 1 + below(4)));
    for (let i = 0; i < 20_000; i++) {
      if (random.next() < 0.6) both.pick();
      else both.change(CHANGES[below(CHANGES.length)]!, below(300), 1 + below(4));
    }
  });
}

Deno.test("SmoothGroups.pick() is undefined when there is no backend", () => {
  const groups = new SmoothGroups(() => 0);
  const [only] = candidatesOf([1]);
  assert.equal(groups.pick(), undefined);
  groups.place(only!, 0);
  groups.take(only!);
  groups.take(only!);
  assert.equal(groups.pick(), undefined);
});
