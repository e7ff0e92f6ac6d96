import type { EventType } from "../../lib/core/mod.ts";

/** The signs of marked events. All other events share one sign. */
const SIGNS: Readonly<Partial<Record<EventType, string>>> = {
  backend_up: "▲",
  backend_down: "▼",
  backend_ejected: "⏏",
  backend_readmitted: "▲",
  backend_mode_changed: "◆",
  backend_fault_began: "⚡",
  backend_fault_ended: "◇",
  wishes_changed: "◆",
  config_reloaded: "↻",
};

export function markSign(type: EventType): string {
  return SIGNS[type] ?? "●";
}

/** Whether the event reports a failure. */
export function isFault(type: EventType): boolean {
  return /_(down|ejected|degraded|began)$/.test(type);
}
