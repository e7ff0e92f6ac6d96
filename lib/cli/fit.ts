import { stripVTControlCharacters } from "node:util";

/**
 * A line that a terminal of so many columns does not wrap: a wrapped status line could not be replaced. A
 * line that is too long loses its colours with its end.
 */
export function fitted(line: string, columns: number): string {
  const text = stripVTControlCharacters(line);
  // A terminal may wrap a line that reaches its last column.
  const room = Math.max(0, columns - 1);
  if (text.length <= room) return line;
  return room === 0 ? "" : `${text.slice(0, room - 1)}…`;
}
