import type { EventType } from "../../lib/core/mod.ts";

/** Groups of events, by which the log is filtered. */
export const EVENT_KINDS = [
  "health",
  "operator",
  "clients",
  "sessions",
  "machine",
  "probes",
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

const KINDS: Readonly<Partial<Record<EventType, EventKind>>> = {
  backend_up: "health",
  backend_down: "health",
  backend_ejected: "health",
  backend_readmitted: "health",
  connect_failed: "health",
  backend_mode_changed: "operator",
  config_reloaded: "operator",
  wishes_changed: "operator",
  sessions_ended: "operator",
  connection_refused: "clients",
  connection_arrived: "clients",
  connection_opened: "clients",
  connection_closed: "clients",
  connection_queued: "clients",
  connection_dequeued: "clients",
  pick_explained: "clients",
  session_moved: "sessions",
  session_evicted: "sessions",
  session_pinned: "sessions",
  session_adopted: "sessions",
  probe: "probes",
};

/** What is in no other group is of the machine that the balancer runs on: its stores, its shortages. */
export function kindOf(type: EventType): EventKind {
  return KINDS[type] ?? "machine";
}
