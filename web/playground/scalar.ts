/** A typed value as YAML would read it. */
export function scalar(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === "true" || trimmed === "false") return trimmed === "true";
  if (trimmed !== "" && Number.isFinite(Number(trimmed))) return Number(trimmed);
  try {
    // A list or a map, in the form that YAML shares with JSON.
    return /^[[{]/.test(trimmed) ? JSON.parse(trimmed) : trimmed;
  } catch {
    return trimmed;
  }
}
