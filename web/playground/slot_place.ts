import type { Box } from "./scene_layout.ts";

/** The place of a slot of a backend: below its name, or, if there is no room for a name, at its right. */
export function slotPlace(box: Box, slot: number): { x: number; y: number } {
  const perRow = Math.max(1, Math.floor((box.width - 8) / 11));
  const column = slot % perRow;
  if (box.height < 20) {
    return { x: box.x + box.width - 8 - 11 * column, y: box.y + box.height / 2 };
  }
  return { x: box.x + 9 + 11 * column, y: box.y + box.height - 8 - 5 * Math.floor(slot / perRow) };
}
