import type { Nanoseconds, Random } from "../../base/mod.ts";
import type { Algorithm } from "./algorithm.ts";

/** A whole number. */
export interface IntegerParameter {
  readonly kind: "integer";
  readonly min: number;
  readonly max: number;
  /** Its value if it is left out. */
  readonly default: number;
  /** Its meaning, for the reference of config.yaml. */
  readonly means: string;
  /** Returns the problem with a number that is between the bounds; undefined if there is none. */
  readonly complaint?: (value: number) => string | undefined;
}

/** A time. */
export interface DurationParameter {
  readonly kind: "duration";
  /** Whether it is a latency of a backend, or a time that a timer measures. */
  readonly of: "latency" | "timer";
  readonly default: Nanoseconds;
  readonly means: string;
}

/** A bound on load: no bound if it is left out. */
export interface BoundParameter {
  readonly kind: "bound";
  readonly default: number;
  readonly means: string;
}

/** A number or a boolean that config.yaml does not have: only the simulator sets it. */
export interface HiddenParameter<Value extends number | boolean = number | boolean> {
  readonly kind: "hidden";
  readonly default: Value;
}

/** A parameter of an algorithm. */
export type Parameter =
  | IntegerParameter
  | DurationParameter
  | BoundParameter
  | HiddenParameter;

/** Parameters by name. */
export type Parameters = Readonly<Record<string, Parameter>>;

/** A value for each parameter. */
export type Values<P extends Parameters> = {
  readonly [Name in keyof P]: P[Name] extends HiddenParameter<infer Value> ? Widened<Value>
    : number;
};

type Widened<Value> = Value extends boolean ? boolean : number;

/**
 * The parameters of an algorithm, and the function that creates it. It is in the algorithm's file, and in the table
 * in `mod.ts`.
 */
export interface Definition<P extends Parameters> {
  readonly parameters: P;
  /** The rule of the algorithm in a few words. */
  summary(values: Values<P>): string;
  /** @param random The source of an algorithm's random draws. */
  create(values: Values<P>, random: Random): Algorithm;
}

/**
 * Returns the definition unchanged. It exists so that TypeScript infers the types of the values from
 * the parameters.
 */
export function define<const P extends Parameters>(definition: Definition<P>): Definition<P> {
  return definition;
}

/** The parameters that all hashes have. */
export const HASH_PARAMETERS = {
  boundedLoad: {
    kind: "bound",
    default: Infinity,
    means:
      "no backend has more than this many times its share of the connections in flight, like 1.25; no bound if left out",
  },
  /** Another salt gives another hash, so the simulator can place clients differently. */
  salt: { kind: "hidden", default: 0 as number },
} as const satisfies Parameters;

/** The rule of a hash algorithm in a few words. */
export function hashSummary(boundedLoad: number): string {
  const rule = "by a hash of the client's address";
  return boundedLoad === Infinity
    ? rule
    : `${rule}; each backend gets at most ${boundedLoad} times its share`;
}
