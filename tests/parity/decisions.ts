/** The decisions that must be the same in the live balancer and in the simulated one. */
import type { LbEvent } from "../../lib/core/mod.ts";

/** A decision of the balancer, as text. */
export type Decision = string;

/** The events that are decisions, or on which decisions depend. */
export const DECISIONS = [
  ...["connection_opened", "connect_failed", "connection_queued", "connection_dequeued"],
  ...["connection_refused", "connection_left", "connection_closed"],
  ...["backend_up", "backend_down", "backend_mode_changed"],
  ...["session_pinned", "session_moved", "session_evicted"],
] as const;

/** An event as text, without the values that depend on the clock or the network. */
export function decisionOf(event: LbEvent): Decision {
  const { type, at_ms: _at, ...rest } = event;
  const facts = Object.entries(rest).filter(([key]) => !CIRCUMSTANCES.includes(key));
  return `${type} ${facts.map(([key, value]) => `${key}=${value}`).join(" ")}`;
}

/**
 * Values that depend on the clock or the network. The end of a connection is one of them: a live connection may end
 * normally where a simulated one is reset.
 */
const CIRCUMSTANCES: readonly string[] = [
  ...[
    "connect_ms",
    "duration_ms",
    "since_arrival_ms",
    "bytes_to_backend",
    "bytes_to_client",
    "end",
  ],
];

/**
 * Decisions in an order that can be compared: connections that end at the same moment end in any order, so their
 * decisions are sorted.
 */
export function inOrder(decisions: readonly Decision[]): Decision[] {
  const ends = decisions.filter((text) => text.startsWith("connection_closed"));
  if (ends.length < 2) return [...decisions];
  // Chance decides which of them ends first, so the numbers that remain in flight are not compared.
  const plain = ends.map((text) => text.replace(/ in_flight=\d+/, "")).toSorted();
  return [...decisions.filter((text) => !ends.includes(text)), ...plain];
}
