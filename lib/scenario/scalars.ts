/** Schemas of single values that only scenarios have. */
import * as z from "zod";
import { duration, integer, number, oneKeyOf, rule, text, unlimited } from "../config/mod.ts";
import type { Nanoseconds } from "../base/mod.ts";
import type { Distribution } from "../stats/mod.ts";

/** A large whole number, optionally with underscores: `1_000_000`. */
export function count(min: number, max: number) {
  return z.union([
    integer(min, max),
    text<number>({
      what: `a whole number from ${min} to ${max}`,
      examples: ["1_000_000"],
      pattern: "^\\d[\\d_]*$",
      parse(input) {
        const value = /^\d[\d_]*$/.test(input) ? Number(input.replaceAll("_", "")) : NaN;
        if (value >= min && value <= max) return value;
        throw new SyntaxError(`must be a whole number from ${min} to ${max}`);
      },
      format: String,
    }),
  ]);
}

/** A number from `min` to `max`. */
export function numberFrom(min: number, max: number) {
  const error = () => `must be a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error });
}

/** A duration, or a word for an unlimited one. */
export function durationOr(word: string) {
  return z.union([
    unlimited(word),
    duration({ positive: true }),
  ]) as unknown as z.ZodType<Nanoseconds, string>;
}

type WithDefault = z.ZodDefault<z.core.SomeType> | z.ZodPrefault<z.core.SomeType>;

/** Makes all keys optional. Their defaults are documented, but not filled in. */
export function optionalKeys<Shape extends Readonly<Record<string, WithDefault>>>(shape: Shape) {
  const optional = Object.entries(shape).map(([key, schema]) => [
    key,
    z.optional(schema.unwrap()).meta({
      default: schema.def.defaultValue,
      description: schema.description,
    }),
  ]);
  return Object.fromEntries(optional) as {
    [Key in keyof Shape]: z.ZodOptional<ReturnType<Shape[Key]["unwrap"]>>;
  };
}

/** A list that is not empty. */
export function listOf<S extends z.ZodType>(item: S) {
  return z.array(item).min(1, { error: () => "must list at least one value" });
}

const ordered = rule(({ min, max }) =>
  Number(min) > Number(max) ? { message: "min is larger than max" } : undefined
);

const positive = rule(({ min }) =>
  Number(min) <= 0 ? { message: "min must be more than 0" } : undefined
);

const asManyWeights = rule(({ values, weights }) => {
  if (!Array.isArray(values) || !Array.isArray(weights)) return undefined;
  if (values.length === weights.length) return undefined;
  return { message: `there are ${values.length} values, but ${weights.length} weights` };
});

/** A distribution of durations with their unit, or of plain numbers. */
function distributionOf(scalar: () => z.ZodType<number>): z.ZodType<Distribution> {
  const mean = () => scalar().describe("its mean");
  const kinds = oneKeyOf({
    deterministic: z.union([scalar(), z.strictObject({ value: scalar() })])
      .describe("always the same"),
    exponential: z.union([scalar(), z.strictObject({ mean: mean() })]).describe(
      "no memory; the squared coefficient of variation (scv) is 1",
    ),
    uniform: z.strictObject({ min: scalar(), max: scalar() }).check(ordered)
      .describe("anything in between"),
    erlang: z.strictObject({ stages: integer(1, 1000), mean: mean() })
      .describe("the sum of exponential stages; scv 1/stages"),
    hyperexponential: z.union([
      z.strictObject({
        mean: mean(),
        scv: number(1, 1e6).describe("squared coefficient of variation, above 1"),
      }),
      z.strictObject({
        phases: listOf(z.strictObject({ probability: number(0, 1), mean: mean() })),
      }),
    ]).describe("one of several exponential laws, by chance"),
    lognormal: z.strictObject({
      mean: mean(),
      sigma: number(0, 5).describe("standard deviation of its logarithm"),
    }).describe("long-tailed, as most service times are"),
    pareto: z.strictObject({ min: scalar(), max: scalar(), alpha: number(0, 100) })
      .check(ordered).check(positive).describe("bounded Pareto: heavy-tailed between min and max"),
    empirical: z.strictObject({
      values: listOf(scalar()),
      weights: z.array(number(0, 1e9)).optional(),
    }).check(asManyWeights).describe("one of these values"),
  });
  return z.union([scalar(), kinds]).transform((input): Distribution => {
    if (typeof input === "number") return { kind: "deterministic", value: input };
    // No key is left if the only key was unknown; that mistake is reported elsewhere.
    const [kind, value] = Object.entries(input)[0] ?? ["deterministic", 0];
    return fromKind(kind, value as number | Record<string, unknown>);
  });
}

function fromKind(kind: string, value: number | Record<string, unknown>): Distribution {
  if (typeof value === "number") {
    return kind === "exponential" ? { kind, mean: value } : { kind: "deterministic", value };
  }
  if (kind === "hyperexponential" && "scv" in value) {
    return balancedHyperexponential(value.mean as number, value.scv as number);
  }
  return { kind, ...value } as unknown as Distribution;
}

/**
 * Two exponential phases that each contribute half of the mean: the usual distribution with a given mean
 * and a squared coefficient of variation above 1. p = (1 + √((c² − 1)/(c² + 1)))/2.
 */
function balancedHyperexponential(mean: number, scv: number): Distribution {
  const probability = (1 + Math.sqrt((scv - 1) / (scv + 1))) / 2;
  return {
    kind: "hyperexponential",
    phases: [
      { probability, mean: mean / (2 * probability) },
      { probability: 1 - probability, mean: mean / (2 * (1 - probability)) },
    ],
  };
}

/** A distribution of durations: `10ms`, or `{exponential: {mean: 10ms}}`. */
export function durations() {
  return distributionOf(duration);
}

/** A distribution of numbers: `1`, or `{uniform: {min: 1, max: 5}}`. */
export function numbers(min: number, max: number) {
  return distributionOf(() => numberFrom(min, max));
}
