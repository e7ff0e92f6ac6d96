import type { EventType } from "../../lib/core/mod.ts";

/** The groups of events that a user can choose in the event log. */
export const EVENT_KINDS = [
  "health",
  "operator",
  "clients",
  "sessions",
  "machine",
  "probes",
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

const KINDS: Readonly<Record<EventType, EventKind>> = {
  backend_up: "health",
  backend_down: "health",
  backend_ejected: "health",
  backend_readmitted: "health",
  connect_failed: "health",
  backend_mode_changed: "operator",
  backend_fault_began: "operator",
  backend_fault_ended: "operator",
  config_reloaded: "operator",
  wishes_changed: "operator",
  sessions_ended: "operator",
  connection_arrived: "clients",
  connection_opened: "clients",
  connection_queued: "clients",
  connection_dequeued: "clients",
  connection_refused: "clients",
  connection_left: "clients",
  connection_closed: "clients",
  pick_explained: "clients",
  session_pinned: "sessions",
  session_moved: "sessions",
  session_evicted: "sessions",
  session_adopted: "sessions",
  session_store_opened: "machine",
  session_store_degraded: "machine",
  session_store_recovered: "machine",
  session_store_incomplete: "machine",
  shortage_began: "machine",
  shortage_ended: "machine",
  run_started: "machine",
  probe: "probes",
};

/** The group of an event. The group "machine" contains the events of the balancer's machine and of its stores. */
export function kindOf(type: EventType): EventKind {
  return KINDS[type];
}
