/** `0.82 ms`, `12 ms`, `1.2 s`; `–` if nothing was measured. */
export function formatMs(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "–";
  if (ms >= 1000) return `${short(ms / 1000)} s`;
  return `${short(ms)} ms`;
}

/** `0`, `3.4`, `12`, `1,234`, `12.3k`. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value >= 100_000) return `${short(value / 1000)}k`;
  if (value < 999.5) return short(value);
  const whole = String(Math.round(value));
  return `${whole.slice(0, -3)},${whole.slice(-3)}`;
}

function short(value: number): string {
  if (value === 0 || value >= 10 || Number.isInteger(value)) return String(Math.round(value));
  return value >= 1 ? value.toFixed(1) : value.toFixed(2);
}

/** `12 s`, `4 min`, `3 h`, `2 d`. */
export function formatAge(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  return s < 48 * 3600 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}

/** `512 B`, `1.2 MB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  let scaled = bytes;
  for (; scaled >= 1024 && unit < units.length - 1; unit++) scaled /= 1024;
  return `${short(scaled)} ${units[unit]}`;
}

/** `24 %`. */
export function formatShare(share: number): string {
  return `${Math.round(100 * share)} %`;
}

/** The time of day, or the time since the start where there is no wall clock. */
export function formatTime(time_s: number, hasWallClock: boolean): string {
  if (!hasWallClock) return `${time_s.toFixed(1)} s`;
  return new Date(1000 * time_s).toLocaleTimeString("en-GB");
}
