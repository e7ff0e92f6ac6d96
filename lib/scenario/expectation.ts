/** Expectations of a scenario: `p99_ms < 80`, `errors[round-robin] > 2 * errors[power-of-two]`. */
import { didYouMean } from "../base/mod.ts";
import { isMetric, metricInfo, type MetricName, metricNames, scopeOf } from "../metrics/mod.ts";

/** The comparison of two numbers. */
export type Comparator = "<" | "<=" | ">" | ">=";

/** A metric. It may name a backend, and labels of variants. */
export interface MetricTerm {
  readonly metric: MetricName;
  readonly backend?: string;
  /** Labels that the variants must have; empty for all variants. */
  readonly variant: readonly string[];
}

/** A number, or a multiple of a metric. */
export type Bound =
  | { readonly value: number }
  | { readonly factor: number; readonly term: MetricTerm };

/** A condition that must hold. */
export interface Expectation {
  /** The text of the expectation. */
  readonly text: string;
  readonly left: MetricTerm;
  readonly comparator: Comparator;
  readonly right: Bound;
}

const TERM = /^([a-z0-9_]+)\s*(?:\(\s*([^()\s]+)\s*\))?\s*(?:\[\s*([^\]]+?)\s*\])?$/;
const NUMBER = /^(\d+(?:\.\d+)?)\s*(%|ms|us|s|m|\/s)?$/;
const FACTOR = /^(\d+(?:\.\d+)?)\s*\*\s*(.+)$/;

/**
 * Reads an expectation: a metric, a comparator, and a number or a multiple of another metric. A backend
 * is written in parentheses, a variant in square brackets.
 *
 * @throws {SyntaxError} whose message names the valid form.
 */
export function parseExpectation(text: string): Expectation {
  const parts = /^(.+?)\s*(<=|>=|<|>)\s*(.+)$/.exec(text.trim());
  if (parts === null) {
    throw new SyntaxError(`"${text}" has no comparison: write it like p99_ms < 80`);
  }
  const left = parseTerm(parts[1]!);
  const right = parseBound(parts[3]!, left.metric);
  return { text, left, comparator: parts[2] as Comparator, right };
}

/** The part of a variant that identifies it: its label for each compared setting. */
export interface Labelled {
  readonly labels: readonly string[];
}

/** The variants that have all labels of a term. */
export function variantsMeant<V extends Labelled>(
  { variant }: MetricTerm,
  variants: readonly V[],
): V[] {
  return variants.filter(({ labels }) => variant.every((part) => labels.includes(part)));
}

/**
 * The variant from which the bound for another variant is taken. It has the labels of the bound's term; for all
 * other compared settings it has the same labels as the other variant.
 *
 * @throws {SyntaxError} if there is none, or more than one.
 */
export function counterpartOf<V extends Labelled>(
  { variant }: MetricTerm,
  own: V,
  variants: readonly V[],
): V {
  const wanted = [...own.labels];
  const taken = new Set<number>();
  for (const part of variant) {
    const places = wanted.flatMap((_, place) =>
      variants.some(({ labels }) => labels[place] === part) ? [place] : []
    );
    if (places.length > 1) {
      throw new SyntaxError(
        `"${part}" is a value of ${places.length} compared settings`,
      );
    }
    const place = places[0];
    if (place === undefined || taken.has(place)) {
      throw new SyntaxError(`there is no variant "${variant.join(", ")}"`);
    }
    taken.add(place);
    wanted[place] = part;
  }
  const found = variants.filter(({ labels }) =>
    labels.every((label, place) => label === wanted[place])
  );
  const name = wanted.join(", ");
  if (found.length === 0) throw new SyntaxError(`there is no variant "${name}"`);
  if (found.length > 1) throw new SyntaxError(`there are ${found.length} variants "${name}"`);
  return found[0]!;
}

/** Whether a comparison holds. It does not hold if a number is missing, or if both are unknown. */
export function holds(left: number, comparator: Comparator, right: number): boolean {
  if (left === Infinity && right === Infinity) return false;
  switch (comparator) {
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
  }
}

function parseTerm(text: string): MetricTerm {
  const match = TERM.exec(text.trim());
  if (match === null) {
    throw new SyntaxError(`"${text}" is not a metric: write it like p99_ms, or share(B1)`);
  }
  const [, metric = "", backend, variant] = match;
  if (!isMetric(metric)) {
    const hint = didYouMean(isMetric(`${metric}_ms`) ? `${metric}_ms` : metric, metricNames()) ??
      `one of: ${metricNames().join(", ")}`;
    throw new SyntaxError(`unknown metric "${metric}": ${hint}`);
  }
  const scope = scopeOf(metric);
  if (scope === "backend" && backend === undefined) {
    throw new SyntaxError(`${metric} needs a backend: write it like ${metric}(B1)`);
  }
  if (scope === "run" && backend !== undefined) {
    throw new SyntaxError(`${metric} is a metric of the whole run, not of a backend`);
  }
  return {
    metric,
    ...backend !== undefined && { backend },
    variant: variant === undefined ? [] : variant.split(/\s*,\s*/),
  };
}

function parseBound(text: string, metric: MetricName): Bound {
  const number = NUMBER.exec(text);
  if (number !== null) return { value: inUnit(Number(number[1]), number[2], metric) };
  const multiple = FACTOR.exec(text);
  const factor = multiple === null ? 1 : Number(multiple[1]);
  return { factor, term: parseTerm(multiple?.[2] ?? text) };
}

const MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

function inUnit(value: number, unit: string | undefined, metric: MetricName): number {
  const { unit: own } = metricInfo(metric);
  if (unit === undefined) {
    if (own === "share" && value > 1) {
      throw new SyntaxError(`${metric} is a share: write ${value}%`);
    }
    return value;
  }
  if (unit === "%" && (own === "share" || own === "ratio")) return value / 100;
  if (unit in MS && own === "ms") return value * MS[unit]!;
  if (unit === "/s" && own === "per_s") return value;
  const right = { ms: "ms", share: "%", per_s: "/s", count: undefined, ratio: undefined }[own];
  throw new SyntaxError(
    right === undefined
      ? `${metric} has no unit: remove "${unit}"`
      : `${metric} has the unit ${right}, not "${unit}"`,
  );
}
