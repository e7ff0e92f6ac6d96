/**
 * Where two runs of one scenario begin to decide differently, and why: the first two events whose order is not the
 * same in both runs.
 */
import type { EventOf, LbEvent } from "../../../lib/core/mod.ts";

/** The types of the events that contain the picks, or on which the picks depend. */
export const PICK_EVENTS = [
  ...["connection_arrived", "connection_opened", "connect_failed", "connection_closed"] as const,
  ...["backend_up", "backend_down"] as const,
];

/** The events of a balancer that its picks depend on. */
export class PickLog {
  /** The backend that each connection got first, in order of arrival. */
  readonly picks: string[] = [];
  /** Arrivals, ends and changes of health, in order. `atMs` has their times. */
  readonly order: string[] = [];
  readonly atMs = new Map<string, number>();
  /** For each pick: its place in `order`. */
  readonly placeOfPick: number[] = [];
  readonly #places = new Map<number, number>();

  read(event: LbEvent | EventOf<typeof PICK_EVENTS[number]>): void {
    switch (event.type) {
      case "connection_arrived":
        this.placeOfPick.push(this.order.length);
        this.#places.set(event.connection, this.#places.size);
        this.#add(`arrival ${this.#places.size}`, event.at_ms);
        break;
      case "connection_opened":
      case "connect_failed":
        this.picks[this.#places.get(event.connection)!] ??= event.backend;
        break;
      case "connection_closed":
        this.#add(`end ${this.#places.get(event.connection)! + 1}`, event.at_ms);
        break;
      case "backend_up":
      case "backend_down":
        this.#add(`${event.type} ${event.backend}`, event.at_ms);
    }
  }

  #add(what: string, atMs: number): void {
    this.order.push(what);
    this.atMs.set(what, atMs);
  }
}

/** The first pick that differs. */
export interface Split {
  /** How many picks both runs have. */
  readonly picks: number;
  /** The number of the first pick that differs, from 1; undefined if none does. */
  readonly first: number | undefined;
  /** The first events whose order differs before this pick; undefined if there are none. */
  readonly swap: Swap | undefined;
}

/** Two events that one run has in one order, and the other run in the other. */
export interface Swap {
  readonly kind: "an end and an arrival" | "two ends" | "a change of health and another event";
  /** The two events, in the order of the first run. */
  readonly events: readonly [string, string];
  /** The time between them in the first run. */
  readonly apartMs: number;
  /** How much later the first of them happened in the second run. */
  readonly lateMs: number;
}

/** Compares two runs, pick by pick. */
export function splitOf(a: PickLog, b: PickLog): Split {
  const picks = Math.min(a.picks.length, b.picks.length);
  for (let pick = 0; pick < picks; pick++) {
    if (a.picks[pick] === b.picks[pick]) continue;
    return { picks, first: pick + 1, swap: swapBefore(a, b, a.placeOfPick[pick]!) };
  }
  return { picks, first: undefined, swap: undefined };
}

function swapBefore(a: PickLog, b: PickLog, place: number): Swap | undefined {
  const first = a.order.findIndex((what, i) => i <= place && what !== b.order[i]);
  if (first < 0) return undefined;
  const events = [a.order[first]!, b.order[first] ?? ""] as const;
  const [one, other] = events;
  const timeOf = (log: PickLog, what: string) => log.atMs.get(what) ?? NaN;
  const times = {
    events,
    apartMs: timeOf(a, other) - timeOf(a, one),
    lateMs: timeOf(b, one) - timeOf(a, one),
  };
  if (events.some((what) => what.startsWith("backend"))) {
    return { kind: "a change of health and another event", ...times };
  }
  const isArrival = events.some((what) => what.startsWith("arrival"));
  return { kind: isArrival ? "an end and an arrival" : "two ends", ...times };
}
