import { didYouMean, formatDuration, parseDuration } from "../base/mod.ts";
import type { ServerFault } from "./kind.ts";

/** The kinds of faults that a backend can have on demand, in the order in which the documents list them. */
export const FAULT_NAMES = [
  "crash",
  "hang",
  "pause",
  "refuse",
  "reset",
  "slow",
  "fail-rate",
  "fast-errors",
  "gray",
  "flap",
] as const satisfies readonly ServerFault["name"][];

/** The words after the name of a fault on the command line, each as an example. */
const EXAMPLES: Readonly<Record<ServerFault["name"], readonly string[]>> = {
  crash: [],
  hang: [],
  pause: [],
  refuse: [],
  reset: [],
  slow: ["5x"],
  "fail-rate": ["30%"],
  "fast-errors": ["100%"],
  gray: ["30%", "2x"],
  flap: ["10s", "50%"],
};

/** A fault in words that `parseFault` can read: `hang`, `slow 5x`, `gray 30% 2x`. */
export function faultWords(fault: ServerFault): string {
  switch (fault.name) {
    case "slow":
      return `slow ${fault.factor}x`;
    case "fail-rate":
    case "fast-errors":
      return `${fault.name} ${percent(fault.rate)}`;
    case "gray":
      return `gray ${percent(fault.rate)} ${fault.factor}x`;
    case "flap":
      return `flap ${formatDuration(fault.period)} ${percent(fault.down)}`;
    default:
      return fault.name;
  }
}

/**
 * Reads a fault from words like `hang`, or `slow` and `5x`.
 *
 * @throws {SyntaxError} that says what is wrong, and what would be right.
 */
export function parseFault([name = "", ...rest]: readonly string[]): ServerFault {
  const known = FAULT_NAMES.find((one) => one === name);
  if (known === undefined) {
    const hint = didYouMean(name, FAULT_NAMES) ?? `one of: ${FAULT_NAMES.join(", ")}`;
    throw new SyntaxError(`unknown fault "${name}"; ${hint}`);
  }
  const example = [known, ...EXAMPLES[known]].join(" ");
  if (rest.length !== EXAMPLES[known].length) {
    throw new SyntaxError(
      EXAMPLES[known].length === 0
        ? `${known} takes no value: "${rest.join(" ")}"`
        : `write it like ${example}`,
    );
  }
  const [first = "", second = ""] = rest;
  switch (known) {
    case "slow":
      return { name: known, factor: factor(first, example) };
    case "fail-rate":
    case "fast-errors":
      return { name: known, rate: positive(share(first, example), example) };
    case "gray":
      return { name: known, rate: share(first, example), factor: factor(second, example) };
    case "flap": {
      const period = parseDuration(first);
      if (period < 1e6) throw new SyntaxError(`a flap has a period of at least 1ms: ${first}`);
      return { name: known, period, down: share(second, example) };
    }
    default:
      return { name: known };
  }
}

/** A fault in the notation of scenarios and the API. */
export type WrittenFault =
  | "crash"
  | "hang"
  | "pause"
  | "refuse"
  | "reset"
  | Readonly<Record<string, unknown>>;

/** A fault in the notation of scenarios and the API: `"hang"`, `{slow: 5}`. */
export function writtenFault(fault: ServerFault): WrittenFault {
  switch (fault.name) {
    case "slow":
      return { slow: fault.factor };
    case "fail-rate":
    case "fast-errors":
      return { [fault.name]: percent(fault.rate) };
    case "gray":
      return { gray: { rate: percent(fault.rate), slow: fault.factor } };
    case "flap":
      return { flap: { period: formatDuration(fault.period), down: percent(fault.down) } };
    default:
      return fault.name;
  }
}

function percent(share: number): string {
  return `${Number((100 * share).toFixed(6))}%`;
}

function factor(text: string, example: string): number {
  const value = /^\d+(\.\d+)?x?$/.test(text) ? Number.parseFloat(text) : NaN;
  if (value > 0 && value <= 1e6) return value;
  throw new SyntaxError(`"${text}" is not a factor above 0; write it like ${example}`);
}

function share(text: string, example: string): number {
  const value = /^\d+(\.\d+)?%$/.test(text) ? Number.parseFloat(text) / 100 : NaN;
  if (value <= 1) return value;
  throw new SyntaxError(`"${text}" is not a share up to 100%; write it like ${example}`);
}

function positive(value: number, example: string): number {
  if (value > 0) return value;
  throw new SyntaxError(`a share of 0% changes nothing; write it like ${example}`);
}
