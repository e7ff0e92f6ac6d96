import { randomExponential, randomLogNormal, randomPareto, randomUniform } from "d3-random";
import type { Nanoseconds, Random } from "./core/mod.ts";
import { formatDuration, parseDuration } from "./duration.ts";

/** A random duration, as written: `20ms`, `exponential(20ms)`, `uniform(5ms, 20ms)`. */
export interface Distribution {
  /** As it was written. */
  readonly text: string;
  /** What draws from it. */
  sampler(random: Random): () => Nanoseconds;
}

const FORMS = "20ms, exponential(20ms), uniform(5ms,20ms), lognormal(20ms,1) or pareto(10ms,2)";

/**
 * Reads a distribution: a duration, or
 * - `exponential(mean)`,
 * - `uniform(min,max)`,
 * - `lognormal(median,sigma)`,
 * - `pareto(min,alpha)`.
 *
 * @throws {SyntaxError} whose message says what would be right.
 */
export function parseDistribution(text: string): Distribution {
  const call = /^\s*([a-z]+)\s*\(([^()]*)\)\s*$/.exec(text);
  if (call === null) {
    const value = parseDuration(text.trim());
    return { text, sampler: () => () => value };
  }
  const [, name, list = ""] = call;
  const parts = list.split(",").map((part) => part.trim());
  const sampler = samplerOf(name!, parts);
  if (sampler === undefined) {
    throw new SyntaxError(`"${text}" is not a latency: write ${FORMS}`);
  }
  return { text, sampler: (random) => rounded(sampler(() => random.next())) };
}

type Source = () => number;

function samplerOf(
  name: string,
  parts: readonly string[],
): ((source: Source) => () => number) | undefined {
  const [first = "", second] = parts;
  const arity = name === "exponential" ? 1 : 2;
  if (parts.length !== arity) return undefined;
  switch (name) {
    case "exponential": {
      const mean = positive(first);
      return (source) => randomExponential.source(source)(1 / mean);
    }
    case "uniform": {
      const min = parseDuration(first);
      const max = parseDuration(second!);
      if (max < min) {
        throw new SyntaxError(
          `uniform(${first},${second}): ${formatDuration(min)} is more than ${formatDuration(max)}`,
        );
      }
      return (source) => randomUniform.source(source)(min, max);
    }
    case "lognormal": {
      const median = positive(first);
      const sigma = parameter("sigma", second!);
      return (source) => randomLogNormal.source(source)(Math.log(median), sigma);
    }
    case "pareto": {
      const min = positive(first);
      const alpha = parameter("alpha", second!);
      const draw = (source: Source) => randomPareto.source(source)(alpha);
      return (source) => {
        const multiple = draw(source);
        return () => min * multiple();
      };
    }
  }
  return undefined;
}

function rounded(draw: () => number): () => Nanoseconds {
  return () => Math.round(draw());
}

function positive(text: string): Nanoseconds {
  const value = parseDuration(text);
  if (value === 0) throw new SyntaxError(`${text} must be longer than nothing`);
  return value;
}

function parameter(name: string, text: string): number {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value) || value <= 0) {
    throw new SyntaxError(`"${text}" is not a number above 0 (${name})`);
  }
  return value;
}
