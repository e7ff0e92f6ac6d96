import type { EventType } from "../../lib/core/mod.ts";

/** The sign of a marked event; what has none in the table is a change of another kind. */
const SIGNS: Readonly<Partial<Record<EventType, string>>> = {
  backend_up: "▲",
  backend_down: "▼",
  backend_ejected: "⏏",
  backend_readmitted: "▲",
  backend_mode_changed: "◆",
  wishes_changed: "◆",
  config_reloaded: "↻",
};

export function markSign(type: EventType): string {
  return SIGNS[type] ?? "●";
}

/** Whether it is bad news. */
export function isFault(type: EventType): boolean {
  return /_(down|ejected|degraded|began)$/.test(type);
}
