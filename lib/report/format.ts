/** Formats numbers for readers. */
import { decimalExponent } from "../base/mod.ts";
import type { Unit } from "../metrics/mod.ts";
import type { Interval, Occurrence } from "./metric_reports.ts";

/** The sign that is shown instead of a missing number. */
const NOTHING = "–";
/** An interval that is narrower than this share of its value is not shown. */
const CERTAIN = 1e-6;

/** A number with about three significant digits. */
export function plain(value: number | null): string {
  if (value === null) return NOTHING;
  const size = Math.abs(value);
  const digits = size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toFixed(digits);
}

/** If one half of an interval is more than this many times the other, both are shown. */
const LOPSIDED = 2;

/**
 * `31.4 ± 0.6`, or `31.4 −0.3 +0.9` if the halves differ much: as many digits as the interval allows. An
 * interval without an upper end is `31.4 −0.3 +∞`.
 */
export function plusMinus({ value, low, high }: Interval, scale = 1): string {
  if (value === null) return NOTHING;
  if (low === null) return plain(value * scale);
  if (high === null) {
    const below = (value - low) * scale;
    return `${plain(value * scale)} −${plain(below)} +∞`;
  }
  const [below, above] = [(value - low) * scale, (high - value) * scale];
  const half = Math.max(below, above);
  if (half <= Math.abs(value * scale) * CERTAIN) return plain(value * scale);
  const digits = digitsFor(half);
  const shown = (value * scale).toFixed(digits);
  return half > LOPSIDED * Math.min(below, above)
    ? `${shown} −${below.toFixed(digits)} +${above.toFixed(digits)}`
    : `${shown} ± ${half.toFixed(digits)}`;
}

/**
 * How long something took, in seconds: `2.39 ± 0.63`, or `203 (median; at most 430)` if the interval is as wide as
 * the value, so that a mean has no meaning.
 */
export function secondsTaken(
  time: Occurrence,
  medianMs: number | null | undefined,
  unit = "",
): string {
  const { value, high, max } = time;
  const saysNothing = value !== null && high !== null && high - value >= value && value > 0;
  if (!saysNothing || medianMs === null || medianMs === undefined) {
    return plusMinus(time, 0.001) + unit;
  }
  const seconds = (ms: number | null) => plain(ms === null ? null : ms / 1000) + unit;
  return `${seconds(medianMs)} (median; at most ${seconds(max)})`;
}

/** A share as a percentage. */
export function percent(value: number | null): string {
  if (value === null) return NOTHING;
  const shown = value * 100;
  const digits = shown === 0 || shown >= 10 ? 0 : shown >= 1 ? 1 : shown >= 0.01 ? 2 : 4;
  return `${shown.toFixed(digits)} %`;
}

/** A metric's value: a share as a percentage, all other units as a plain number. */
export function inUnit(unit: Unit, value: number | null): string {
  return unit === "share" ? percent(value) : plain(value);
}

/** A metric's value with its interval; a share is shown without it. */
export function withInterval(unit: Unit, interval: Interval): string {
  return unit === "share" ? percent(interval.value) : plusMinus(interval);
}

/** `5.8 million`, `12,345`. */
export function large(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(1)} billion`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} million`;
  return grouped(value);
}

/** `1,234,567`. */
export function grouped(value: number): string {
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** The number of decimal places with which half an interval has two significant digits. */
function digitsFor(half: number): number {
  return Math.min(4, Math.max(0, 1 - decimalExponent(half)));
}
