import { assert } from "../../base/mod.ts";
import type { Candidate, PickDetails, PickTrace, Tried } from "./algorithm.ts";

/** Candidates with the same weight and load: every pick adds the same to `current` of each of them. */
interface Group {
  weight: number;
  load: number;
  score: number;
  /** The sum that was added to `current` of each member since the group was created. */
  gained: number;
  /** Max-heap of members by `current`, then by place in the configuration. */
  readonly heap: Candidate[];
}

/**
 * Smooth weighted round-robin among the candidates with the lowest score.
 *
 * Each pick adds the weight of every tied candidate to its `current`. The candidate with the largest `current` is
 * picked, and the sum of the added weights is subtracted from its `current`. Over one cycle each candidate is picked
 * in proportion to weight, and the picks of a heavy candidate are spread out: weights 5, 1, 1 give `a a b a c a a`.
 *
 * Candidates with the same weight and load always gain the same. So a group stores this gain once for all of them,
 * and their order does not change between picks. A pick costs O(groups + log n) instead of O(n), and gives exactly
 * the sequence of the plain scan.
 *
 * Source: nginx, `ngx_stream_upstream_round_robin.c`, `ngx_stream_upstream_get_peer`.
 */
export class SmoothGroups {
  readonly #score: (load: number, weight: number) => number;
  /** The first `#inUse` groups have members; the groups after them are empty, and are used again later. */
  readonly #groups: Group[] = [];
  #inUse = 0;
  /** By candidate index: `current`, minus the gain of its group since it became a member. */
  readonly #current: number[] = [];
  readonly #groupOf: (Group | undefined)[] = [];
  readonly #heapPosition: number[] = [];

  /** @param score The value that is minimised; candidates with an equal score take turns. */
  constructor(score: (load: number, weight: number) => number) {
    this.#score = score;
  }

  /** Forgets the candidate and its `current`. */
  delete(candidate: Candidate): void {
    this.take(candidate);
    this.#current[candidate.index] = 0;
  }

  /** Moves the candidate to the group of its weight and load. It keeps its `current`. */
  place(candidate: Candidate, load: number): void {
    const { index, weight } = candidate;
    const present = this.#groupOf[index];
    if (present !== undefined && present.weight === weight && present.load === load) return;
    this.take(candidate);
    const group = this.#groupFor(weight, load);
    this.#groupOf[index] = group;
    this.#current[index] = (this.#current[index] ?? 0) - group.gained;
    this.#heapPosition[index] = group.heap.length;
    group.heap.push(candidate);
    this.#siftUp(group.heap, group.heap.length - 1);
  }

  /** Removes the candidate for a while; its `current` is kept until it is placed again. */
  take(candidate: Candidate): void {
    const { index } = candidate;
    const group = this.#groupOf[index];
    if (group === undefined) return;
    this.#groupOf[index] = undefined;
    this.#current[index] = this.#current[index]! + group.gained;
    const { heap } = group;
    const position = this.#heapPosition[index]!;
    const last = heap.pop()!;
    if (last !== candidate) {
      heap[position] = last;
      this.#heapPosition[last.index] = position;
      this.#siftUp(heap, position);
      this.#siftDown(heap, this.#heapPosition[last.index]!);
    }
    if (heap.length === 0) this.#retire(group);
  }

  /** The order of the candidates has changed. It decides between candidates with equal `current`. */
  reorder(): void {
    for (const { heap } of this.#groups) {
      for (let position = (heap.length >> 1) - 1; position >= 0; position--) {
        this.#siftDown(heap, position);
      }
    }
  }

  /** Picks the candidate whose turn is next among those with the lowest score; undefined if there is none. */
  pick(trace?: PickTrace, tried?: Tried): Candidate | undefined {
    if (tried === undefined) return this.#pick(trace);
    const loads = tried.map(({ index }) => this.#groupOf[index]?.load);
    for (const candidate of tried) this.take(candidate);
    try {
      return this.#pick(trace);
    } finally {
      tried.forEach((candidate, i) => {
        if (loads[i] !== undefined) this.place(candidate, loads[i]);
      });
    }
  }

  /** The weight and `current` of each candidate that can be picked, in the order of the configuration. */
  details(): PickDetails {
    const turns = this.#groups.slice(0, this.#inUse).flatMap(({ heap, gained, weight }) =>
      heap.map(({ id, index, order }) => ({
        id,
        order,
        weight,
        current: this.#current[index]! + gained,
      }))
    ).sort((a, b) => a.order - b.order);
    return {
      kind: "turns",
      backends: turns.map(({ id }) => id),
      weights: turns.map(({ weight }) => weight),
      current: turns.map(({ current }) => current),
    };
  }

  #pick(trace?: PickTrace): Candidate | undefined {
    let lowest = Infinity;
    for (let i = 0; i < this.#inUse; i++) lowest = Math.min(lowest, this.#groups[i]!.score);
    let total = 0;
    let winner: Candidate | undefined;
    let winnerCurrent = -Infinity;
    let winnerGroup: Group | undefined;
    for (let i = 0; i < this.#inUse; i++) {
      const group = this.#groups[i]!;
      if (group.score !== lowest) continue;
      group.gained += group.weight;
      total += group.weight * group.heap.length;
      const top = group.heap[0]!;
      const current = this.#current[top.index]! + group.gained;
      if (
        winner === undefined || current > winnerCurrent ||
        (current === winnerCurrent && top.order < winner.order)
      ) {
        winner = top;
        winnerCurrent = current;
        winnerGroup = group;
      }
    }
    if (winner === undefined) return undefined;
    if (trace !== undefined) this.#explain(trace, lowest);
    assert(winnerGroup !== undefined, "the winner comes from a group");
    this.#current[winner.index] = this.#current[winner.index]! - total;
    this.#siftDown(winnerGroup.heap, 0);
    return winner;
  }

  #explain(trace: PickTrace, lowest: number): void {
    let tied = 0;
    for (const group of this.#groups.slice(0, this.#inUse)) {
      for (const candidate of group.heap) trace.considered(candidate, group.score);
      if (group.score === lowest) tied += group.heap.length;
    }
    trace.decided(
      tied > 1
        ? `smooth weighted round-robin among the ${tied} backends with the lowest score`
        : "lowest score",
    );
  }

  #groupFor(weight: number, load: number): Group {
    const groups = this.#groups;
    for (let i = 0; i < this.#inUse; i++) {
      const group = groups[i]!;
      if (group.load === load && group.weight === weight) return group;
    }
    const group = groups[this.#inUse++] ??= { weight: 0, load: 0, score: 0, gained: 0, heap: [] };
    group.weight = weight;
    group.load = load;
    group.score = this.#score(load, weight);
    group.gained = 0;
    return group;
  }

  /**
   * Moves a group without members to the place after the groups in use. The order of the groups in use stays the same,
   * because sums of fractions depend on it.
   */
  #retire(group: Group): void {
    const groups = this.#groups;
    this.#inUse--;
    for (let i = groups.indexOf(group); i < this.#inUse; i++) groups[i] = groups[i + 1]!;
    groups[this.#inUse] = group;
  }

  #before(a: Candidate, b: Candidate): boolean {
    const difference = this.#current[a.index]! - this.#current[b.index]!;
    return difference > 0 || (difference === 0 && a.order < b.order);
  }

  #siftUp(heap: Candidate[], from: number): void {
    const moving = heap[from]!;
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (!this.#before(moving, heap[parent]!)) break;
      this.#set(heap, position, heap[parent]!);
      position = parent;
    }
    this.#set(heap, position, moving);
  }

  #siftDown(heap: Candidate[], from: number): void {
    const moving = heap[from]!;
    let position = from;
    while (true) {
      let child = 2 * position + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, moving)) break;
      this.#set(heap, position, heap[child]!);
      position = child;
    }
    this.#set(heap, position, moving);
  }

  #set(heap: Candidate[], position: number, candidate: Candidate): void {
    heap[position] = candidate;
    this.#heapPosition[candidate.index] = position;
  }
}
