import { type Nanoseconds, NS_PER_MS, NS_PER_S, NS_PER_US } from "./time.ts";

const UNITS: Readonly<Record<string, Nanoseconds>> = {
  h: 3600 * NS_PER_S,
  m: 60 * NS_PER_S,
  s: NS_PER_S,
  ms: NS_PER_MS,
  us: NS_PER_US,
  ns: 1,
};

/**
 * Reads a duration: a number with its unit, `200ms`, `1.5s`, or several, `1m30s`.
 *
 * @throws {SyntaxError} whose message says what would be right.
 */
export function parseDuration(text: string): Nanoseconds {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    const number = /^\d+(\.\d+)?$/.test(text.trim()) ? text.trim() : undefined;
    throw new SyntaxError(
      number === undefined
        ? `"${text}" is not a duration: write a number and its unit, like 200ms, 2s or 1m30s`
        : `${number} has no unit: write ${number}ms, ${number}s or ${number}m`,
    );
  }
  const total = parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit!]!, 0);
  if (!Number.isSafeInteger(Math.round(total))) {
    throw new SyntaxError(`"${text}" is too long: a duration is at most 104 days`);
  }
  return Math.round(total);
}

/** Writes a duration so that `parseDuration` reads it: `200ms`, `1.5s`, `1m30s`. */
export function formatDuration(duration: Nanoseconds): string {
  if (duration === 0) return "0s";
  if (duration < NS_PER_S) {
    const [unit, size] = Object.entries(UNITS).find(([, size]) => size <= duration)!;
    return `${decimal(duration / size)}${unit}`;
  }
  const seconds = duration / NS_PER_S;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = seconds - hours * 3600 - minutes * 60;
  return (hours > 0 ? `${hours}h` : "") + (minutes > 0 ? `${minutes}m` : "") +
    (rest > 0 ? `${decimal(rest)}s` : "");
}

/** Writes a number with at most nine decimals, so that the rounding errors of binary fractions are not shown. */
function decimal(value: number): string {
  return String(Number(value.toFixed(9)));
}
