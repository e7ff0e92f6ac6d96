/** Changes single settings of a scenario's data, for `--set` and `compare`. */
import { isData, nameOf, type Path, valueAt, YamlFile } from "../config/mod.ts";

/** A value that replaces a value of the file. */
export interface Setting {
  readonly path: Path;
  readonly value: unknown;
  /** The origin of the setting, which a message about it names: a place in the file, or a flag. */
  readonly blame: { readonly path: Path } | { readonly flag: string };
}

/** A setting that was put into the data. */
export interface Patch extends Setting {
  /** The number of steps of the path that existed before. */
  readonly existing: number;
}

/** The kinds of arrivals and distributions: keys that a short path leaves out. */
const KINDS: readonly string[] = [
  ...["poisson", "deterministic", "renewal", "mmpp", "on_off", "diurnal", "closed", "trace"],
  ...["exponential", "uniform", "erlang", "hyperexponential", "lognormal", "pareto", "empirical"],
];

/** The error message for a path that names item 0. */
export const FROM_ONE = "items of a list are counted from 1: there is no item 0";

/** Keys of which only one may be present: setting one removes the others. */
const EXCLUSIVE: readonly (readonly string[])[] = [
  ["rate", "load"],
  ["duration", "connections"],
  ["replications", "precision"],
  KINDS,
];

/**
 * Reads a setting like `workload.arrivals.rate=900/s`: a path, and a value in YAML.
 *
 * @throws {SyntaxError} if it has another form.
 */
export function parseSetting(text: string): Setting {
  const at = text.indexOf("=");
  if (at < 1) {
    throw new SyntaxError(
      `"${text}" has no key and value: write it like workload.arrivals.rate=900/s`,
    );
  }
  const yaml = new YamlFile({ file: "--set", text: text.slice(at + 1) });
  if (!yaml.isSound) throw new SyntaxError(`"${text.slice(at + 1)}" is not a value in YAML`);
  const value = yaml.data;
  return { path: parsePath(text.slice(0, at)), value, blame: { flag: `--set ${text}` } };
}

/** The steps of a path like `faults[1].for`. The number in brackets is an item of a list, counted from 1. */
export function parsePath(text: string): Path {
  return text.trim().replaceAll(/\[(\d+)\]/g, ".$1").split(".")
    .map((step) => /^\d+$/.test(step) ? Number(step) - 1 : step);
}

/**
 * Puts a setting into data. Returns the new data and the full path of the setting.
 *
 * @throws {SyntaxError} if the path names an item that a list does not have.
 */
export function apply(
  data: unknown,
  { path, value }: Setting,
): { readonly data: unknown } & Pick<Patch, "path" | "existing"> {
  const real = resolve(data, path);
  for (const [i, step] of real.entries()) {
    const list = valueAt(data, real.slice(0, i));
    if (!Array.isArray(list) || typeof step !== "number") continue;
    if (step < 0) throw new SyntaxError(FROM_ONE);
    if (step < list.length) continue;
    throw new SyntaxError(
      `there is no ${nameOf(real.slice(0, i + 1))}: the list has ${list.length} items`,
    );
  }
  // A value that is neither a group nor a list is replaced by a group.
  const made = real.findIndex((_, i) => {
    const before = valueAt(data, real.slice(0, i + 1));
    return before === undefined || (i + 1 < real.length && typeof before !== "object");
  });
  return {
    data: put(data, real, value),
    path: real,
    existing: made === -1 ? real.length : made,
  };
}

/** Merges two groups of keys, and the groups inside them. The second overrides the first. Lists are not merged. */
export function merge(base: unknown, over: unknown): unknown {
  if (!isData(base) || !isData(over)) return over === undefined ? base : over;
  const keys = [...new Set([...Object.keys(base), ...Object.keys(over)])];
  return Object.fromEntries(keys.map((key) => [key, merge(base[key], over[key])]));
}

/**
 * The full path of a short one: `workload.arrivals.rate` is `workload.arrivals.poisson.rate` if the
 * arrivals are Poisson.
 */
function resolve(data: unknown, path: Path): Path {
  const [step, ...rest] = path;
  if (step === undefined) return [];
  if (Array.isArray(data) && typeof step === "string") {
    const index = data.findIndex((item) => isData(item) && item.id === step);
    if (index === -1) throw new SyntaxError(`there is no "${step}" in the list`);
    return [index, ...resolve(data[index], rest)];
  }
  if (isData(data) && !(step in data) && !KINDS.includes(String(step))) {
    const [only, ...others] = Object.keys(data);
    if (only !== undefined && others.length === 0 && KINDS.includes(only)) {
      return [only, ...resolve(data[only], path)];
    }
  }
  const inner = isData(data) || Array.isArray(data)
    ? (data as Record<string | number, unknown>)[step]
    : undefined;
  return [step, ...resolve(inner, rest)];
}

function put(data: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === "number" && Array.isArray(data)) {
    return data.map((item, i) => i === step ? put(item, rest, value) : item);
  }
  const old = isData(data) ? data : {};
  const inner = old[step];
  // `algorithm: ring-hash` is short for `algorithm: {name: ring-hash}`.
  const isShort = step === "algorithm" && rest.length > 0 && typeof inner === "string";
  const rivals = EXCLUSIVE.find((keys) => keys.includes(String(step))) ?? [];
  const kept = Object.entries(old).filter(([key]) => key === step || !rivals.includes(key));
  return Object.fromEntries([
    ...kept.filter(([key]) => key !== step),
    [step, put(isShort ? { name: inner } : inner, rest, value)],
  ]);
}
