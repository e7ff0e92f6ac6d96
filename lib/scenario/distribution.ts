/** Distributions of durations on the command line: `lognormal(20ms,1)`. */
import * as z from "zod";
import { validate, YamlFile } from "../config/mod.ts";
import type { Nanoseconds, Random } from "../base/mod.ts";
import { durations } from "./scalars.ts";
import { createSampler, type Distribution } from "../stats/mod.ts";

/** The parameters of each distribution, in the order in which they are written, with their names in a scenario. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  deterministic: ["value"],
  exponential: ["mean"],
  uniform: ["min", "max"],
  erlang: ["stages", "mean"],
  hyperexponential: ["mean", "scv"],
  lognormal: ["mean", "sigma"],
  pareto: ["min", "max", "alpha"],
  empirical: ["values"],
};

const LAWS = Object.entries(PARAMETERS).map(([law, names]) =>
  law === "empirical" ? "empirical(value,…)" : `${law}(${names.join(",")})`
);

const schema = z.strictObject({ latency: durations() });

/**
 * Reads a distribution: a duration, a name with the main parameters in parentheses, or the notation of a scenario in
 * braces. The schema of scenarios parses all of them, so a distribution means the same here and in a scenario.
 *
 * @throws {SyntaxError} whose message names the valid forms.
 */
export function parseDistribution(text: string): Distribution {
  const { value, findings } = validate(schema, { latency: written(text.trim()) }, () => []);
  if (value !== undefined) return value.latency;
  const sentences = findings.map(({ message }) => message.replace(/^latency(\.|: )?/, ""));
  throw new SyntaxError(sentences.join("; "));
}

/** Draws whole nanoseconds. */
export function durationSampler(distribution: Distribution, random: Random): () => Nanoseconds {
  const sampler = createSampler(distribution, random);
  return () => Math.round(sampler.next());
}

/** The distribution in the notation of a scenario: `{lognormal: {mean: 20ms, sigma: 1}}`. */
function written(text: string): unknown {
  if (text.startsWith("{")) return parsedYaml(text);
  const call = /^([a-z]+)\s*\(([^()]*)\)$/.exec(text);
  if (call === null) {
    if (!/^\d/.test(text)) throw notALaw(text);
    return text;
  }
  const [, law = "", list = ""] = call;
  const names = Object.hasOwn(PARAMETERS, law) ? PARAMETERS[law]! : undefined;
  if (names === undefined) throw notALaw(text);
  const given = list.split(",").map((part) => numberOrText(part.trim()));
  if (law === "empirical") return { empirical: { values: given } };
  if (given.length !== names.length || given.includes("")) {
    throw new SyntaxError(`"${text}" must have the form ${law}(${names.join(",")})`);
  }
  return { [law]: Object.fromEntries(names.map((name, i) => [name, given[i]])) };
}

function parsedYaml(text: string): unknown {
  const yaml = new YamlFile({ file: "latency", text });
  if (!yaml.isSound) throw new SyntaxError(`"${text}" is not valid YAML`);
  return yaml.data;
}

function numberOrText(part: string): number | string {
  return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(part) ? Number(part) : part;
}

function notALaw(text: string): SyntaxError {
  return new SyntaxError(
    `"${text}" is not a latency: write a duration like 20ms, or ${LAWS.join(", ")}`,
  );
}
