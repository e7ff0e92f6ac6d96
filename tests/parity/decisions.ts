/** What the live balancer and the simulated one must agree on. */
import type { LbEvent } from "../../lib/core/mod.ts";

/** What the balancer decided. */
export type Decision = string;

/** The events that are decisions, or that decisions rest on. */
export const DECISIONS = [
  ...["connection_opened", "connect_failed", "connection_queued", "connection_dequeued"],
  ...["connection_refused", "connection_left", "connection_closed"],
  ...["backend_up", "backend_down", "backend_mode_changed"],
  ...["session_pinned", "session_moved", "session_evicted"],
] as const;

/** An event without what depends on the clock or the wire. */
export function decisionOf(event: LbEvent): Decision {
  const { type, at_ms: _at, ...rest } = event;
  const facts = Object.entries(rest).filter(([key]) => !CIRCUMSTANCES.includes(key));
  return `${type} ${facts.map(([key, value]) => `${key}=${value}`).join(" ")}`;
}

/** How a connection ends is the wire's: a live one may see a clean end where a simulated one sees a reset. */
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
 * Decisions by step. Those of connections that end at one stroke come in any order: they are sorted.
 */
export function inOrder(decisions: readonly Decision[]): Decision[] {
  const ends = decisions.filter((text) => text.startsWith("connection_closed"));
  if (ends.length < 2) return [...decisions];
  // Which of them is counted down first is chance: what is left in flight is not compared.
  const plain = ends.map((text) => text.replace(/ in_flight=\d+/, "")).toSorted();
  return [...decisions.filter((text) => !ends.includes(text)), ...plain];
}
