import { stripVTControlCharacters } from "node:util";

/**
 * Shortens a line so that a terminal with this number of columns does not wrap it, because a wrapped status line
 * could not be replaced. A shortened line has no colours.
 */
export function fitted(line: string, columns: number): string {
  const text = stripVTControlCharacters(line);
  // A terminal may wrap a line that reaches its last column.
  const room = Math.max(0, columns - 1);
  if (text.length <= room) return line;
  return room === 0 ? "" : `${text.slice(0, room - 1)}…`;
}
