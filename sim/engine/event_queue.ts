import { assert, type Nanoseconds } from "../../lib/base/mod.ts";

/** A list of this many events becomes a heap when another event is scheduled. */
const LIST_MAX = 64;
/** A heap becomes a list when only this many events are left: so few that it seldom becomes a heap again soon. */
const LIST_AGAIN = 16;
/** Children of a node in the heap. A flat heap has fewer cache misses than a binary one. */
const ARITY = 4;
/** The number of low bits of an entry that contain the kind of the event; the other bits contain its subject. */
const KIND_BITS = 5;
const KIND_MASK = (1 << KIND_BITS) - 1;

/** The largest kind: kinds are numbers from 0 to this. */
export const MAX_KIND = KIND_MASK;

/**
 * The scheduled events in order of time, and at the same time in the order in which they were scheduled. They are in
 * typed arrays: no object per event. `next` goes to the earliest event, which is then read from `time`, `kind`,
 * `subject` and `sequence`.
 *
 * A few events are kept as a sorted list, and many events as a 4-ary heap. A list is faster as long as it is short,
 * because the processor predicts its branches better. In the heap, `next` leaves a hole at the top, which the next
 * `push` fills. So an event that schedules its successor costs one descent instead of a removal and an insertion.
 *
 * The `single` kind has at most one scheduled event, which is kept outside of list and heap. If every second event is
 * of this kind, as arrivals often are, these have half as much work.
 *
 * Kinds from `background` on repeat until the end of the run, as probes do, and no client waits for them: a queue
 * that holds only such events is `idle`.
 *
 * An event cannot be cancelled. The caller of `push` keeps the sequence number that it returned, and ignores an event
 * with another number.
 */
export class EventQueue {
  /** When the current event happens. */
  time: Nanoseconds = 0;
  /** The kind of the current event. */
  kind = 0;
  /** The subject of the current event. */
  subject = 0;
  /** The sequence number of the current event. */
  sequence = 0;
  /** When the latest event happened that is not a background event. */
  awaitedAt: Nanoseconds = 0;
  /** Whether the events are a list, with the earliest event last. Otherwise they are a heap, with the earliest first. */
  #isList = true;
  #times = new Float64Array(LIST_MAX);
  #sequences = new Float64Array(LIST_MAX);
  #entries = new Int32Array(LIST_MAX);
  readonly #single: number;
  /** When the single event happens; Infinity if none is scheduled. */
  #singleTime = Infinity;
  #singleSequence = 0;
  #singleSubject = 0;
  readonly #background: number;
  #backgroundSize = 0;
  #size = 0;
  /** Whether the event at the top of the heap has already been taken. */
  #hole = false;
  #lastSequence = 0;
  /** When the latest events were scheduled, by sequence number in a ring; undefined if that is not kept. */
  #pushedAt: Float64Array | undefined;

  /**
   * @param background The first of the background kinds.
   * @param single The kind with at most one scheduled event; not a background kind.
   */
  constructor(background = MAX_KIND + 1, single = -1) {
    assert(single < background, "the single kind is waited for");
    this.#background = background;
    this.#single = single;
  }

  /** How many events are scheduled, without the current one. */
  get size(): number {
    return this.#size - (this.#hole ? 1 : 0) + (this.#singleTime === Infinity ? 0 : 1);
  }

  /** Whether only background events are scheduled. */
  get idle(): boolean {
    return this.#singleTime === Infinity && this.size === this.#backgroundSize;
  }

  /** How many events have been scheduled since the start. */
  get scheduled(): number {
    return this.#lastSequence;
  }

  /**
   * Schedules an event.
   *
   * @param time A finite time.
   * @param kind At most `MAX_KIND`.
   * @param subject From 0 to 2²⁶ − 1.
   * @returns Its sequence number, from 1.
   */
  push(time: Nanoseconds, kind: number, subject: number): number {
    const sequence = ++this.#lastSequence;
    const pushedAt = this.#pushedAt;
    if (pushedAt !== undefined) pushedAt[sequence & (pushedAt.length - 1)] = this.time;
    if (kind === this.#single) {
      assert(this.#singleTime === Infinity, "there is one event of the single kind at a time");
      this.#singleTime = time;
      this.#singleSequence = sequence;
      this.#singleSubject = subject;
      return sequence;
    }
    const entry = (subject << KIND_BITS) | kind;
    if (kind >= this.#background) this.#backgroundSize++;
    if (this.#isList && this.#size < LIST_MAX) this.#insert(time, sequence, entry);
    else this.#pushToHeap(time, sequence, entry);
    return sequence;
  }

  /**
   * Keeps from now on when each event was scheduled.
   *
   * @param latest The number of latest events for which this is kept: a power of two.
   */
  keepPushTimes(latest: number): void {
    assert((latest & (latest - 1)) === 0, "the ring's length is a power of two");
    this.#pushedAt = new Float64Array(latest);
  }

  /** When an event was scheduled; NaN if that was not kept, or too long ago. */
  pushedAt(sequence: number): Nanoseconds {
    const pushedAt = this.#pushedAt;
    if (pushedAt === undefined || sequence <= this.#lastSequence - pushedAt.length) return NaN;
    return pushedAt[sequence & (pushedAt.length - 1)]!;
  }

  /** Removes the event of the single kind, if one is scheduled. */
  dropSingle(): void {
    this.#singleTime = Infinity;
  }

  /**
   * Moves on to the earliest event. Returns false if there is none.
   *
   * @param before If the earliest event is not before this time, it stays, and the result is false.
   */
  next(before = Infinity): boolean {
    if (this.#hole) this.#closeHole();
    const first = this.#isList ? this.#size - 1 : 0;
    const time = this.#size === 0 ? Infinity : this.#times[first]!;
    const singleTime = this.#singleTime;
    const isSingleFirst = singleTime < time ||
      (singleTime === time && this.#size > 0 && this.#singleSequence < this.#sequences[first]!);
    if (isSingleFirst) {
      if (singleTime >= before) return false;
      this.time = singleTime;
      this.kind = this.#single;
      this.subject = this.#singleSubject;
      this.sequence = this.#singleSequence;
      this.#singleTime = Infinity;
      this.awaitedAt = singleTime;
      return true;
    }
    if (time >= before) return false;
    const entry = this.#entries[first]!;
    const kind = entry & KIND_MASK;
    this.time = time;
    this.kind = kind;
    this.subject = entry >>> KIND_BITS;
    this.sequence = this.#sequences[first]!;
    if (kind >= this.#background) this.#backgroundSize--;
    else this.awaitedAt = time;
    if (this.#isList) this.#size = first;
    else this.#hole = true;
    return true;
  }

  /** When the earliest event happens; Infinity if there is none. */
  get nextTime(): Nanoseconds {
    if (this.#hole) this.#closeHole();
    const first = this.#isList ? this.#size - 1 : 0;
    return Math.min(this.#singleTime, this.#size === 0 ? Infinity : this.#times[first]!);
  }

  /** Calls `visit` for every scheduled event, in no particular order. */
  forEach(
    visit: (time: Nanoseconds, kind: number, subject: number, sequence: number) => void,
  ): void {
    if (this.#hole) this.#closeHole();
    for (let i = 0; i < this.#size; i++) {
      const entry = this.#entries[i]!;
      visit(this.#times[i]!, entry & KIND_MASK, entry >>> KIND_BITS, this.#sequences[i]!);
    }
    if (this.#singleTime === Infinity) return;
    visit(this.#singleTime, this.#single, this.#singleSubject, this.#singleSequence);
  }

  /** Puts the newest event into the list. It happens after the other events of the same time. */
  #insert(time: Nanoseconds, sequence: number, entry: number): void {
    const times = this.#times;
    const sequences = this.#sequences;
    const entries = this.#entries;
    let position = this.#size++;
    while (position > 0) {
      const earlier = times[position - 1]!;
      if (earlier > time) break;
      times[position] = earlier;
      sequences[position] = sequences[position - 1]!;
      entries[position] = entries[position - 1]!;
      position--;
    }
    times[position] = time;
    sequences[position] = sequence;
    entries[position] = entry;
  }

  #pushToHeap(time: Nanoseconds, sequence: number, entry: number): void {
    if (this.#isList) this.#becomeHeap();
    if (this.#hole) {
      this.#hole = false;
      this.#descend(time, sequence, entry);
    } else {
      if (this.#size === this.#times.length) this.#grow();
      this.#ascend(this.#size++, time, sequence, entry);
    }
  }

  /** Events in order of time are a heap. */
  #becomeHeap(): void {
    this.#isList = false;
    for (const numbers of [this.#times, this.#sequences, this.#entries]) {
      numbers.subarray(0, this.#size).reverse();
    }
  }

  /** Heapsort: the earliest event of the heap goes behind its last one, again and again. */
  #becomeList(): void {
    const size = this.#size;
    while (this.#size > 1) {
      const last = --this.#size;
      const time = this.#times[last]!;
      const sequence = this.#sequences[last]!;
      const entry = this.#entries[last]!;
      this.#times[last] = this.#times[0]!;
      this.#sequences[last] = this.#sequences[0]!;
      this.#entries[last] = this.#entries[0]!;
      this.#descend(time, sequence, entry);
    }
    this.#size = size;
    this.#isList = true;
  }

  #closeHole(): void {
    this.#hole = false;
    const last = --this.#size;
    if (last > 0) this.#descend(this.#times[last]!, this.#sequences[last]!, this.#entries[last]!);
    if (last <= LIST_AGAIN) this.#becomeList();
  }

  /** Puts an event where the top of the heap was. */
  #descend(time: Nanoseconds, sequence: number, entry: number): void {
    const times = this.#times;
    const sequences = this.#sequences;
    const entries = this.#entries;
    const size = this.#size;
    let position = 0;
    while (true) {
      const first = ARITY * position + 1;
      if (first >= size) break;
      const end = first + ARITY < size ? first + ARITY : size;
      let least = first;
      let leastTime = times[first]!;
      for (let child = first + 1; child < end; child++) {
        const childTime = times[child]!;
        if (
          childTime < leastTime ||
          (childTime === leastTime && sequences[child]! < sequences[least]!)
        ) {
          least = child;
          leastTime = childTime;
        }
      }
      if (leastTime > time || (leastTime === time && sequences[least]! > sequence)) break;
      times[position] = leastTime;
      sequences[position] = sequences[least]!;
      entries[position] = entries[least]!;
      position = least;
    }
    times[position] = time;
    sequences[position] = sequence;
    entries[position] = entry;
  }

  /** The newest event has the highest number, so it passes only events that are strictly later. */
  #ascend(from: number, time: Nanoseconds, sequence: number, entry: number): void {
    const times = this.#times;
    let position = from;
    while (position > 0) {
      const parent = ((position - 1) / ARITY) | 0;
      if (times[parent]! <= time) break;
      times[position] = times[parent]!;
      this.#sequences[position] = this.#sequences[parent]!;
      this.#entries[position] = this.#entries[parent]!;
      position = parent;
    }
    times[position] = time;
    this.#sequences[position] = sequence;
    this.#entries[position] = entry;
  }

  #grow(): void {
    const capacity = 2 * this.#times.length;
    this.#times = enlarged(this.#times, new Float64Array(capacity));
    this.#sequences = enlarged(this.#sequences, new Float64Array(capacity));
    this.#entries = enlarged(this.#entries, new Int32Array(capacity));
  }
}

function enlarged<Numbers extends Float64Array | Int32Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}
