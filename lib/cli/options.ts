/** Parsers for the values of flags and arguments. Each has a clear message for a wrong value. */
import { InvalidArgumentError } from "commander";
import {
  type Address,
  didYouMean,
  type Nanoseconds,
  parseAddress,
  parseDuration,
  UserError,
} from "../base/mod.ts";

/** `--interval 200ms`. */
export function durationOption(text: string): Nanoseconds {
  return parsed(() => parseDuration(text));
}

/** `--idle-timeout 10m`. */
export function positiveDurationOption(text: string): Nanoseconds {
  const value = durationOption(text);
  if (value === 0) throw new InvalidArgumentError("it must be longer than 0s");
  return value;
}

/** `--count 10`. */
export function integerOption(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text.replaceAll("_", ""));
    if (text.trim() === "" || !Number.isSafeInteger(value) || value < min) {
      throw new InvalidArgumentError(`it must be a whole number of at least ${min}`);
    }
    return value;
  };
}

/** `--port 8900`; 0 lets the system choose. */
export function portOption(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError("it must be a port from 0 to 65535");
  return port;
}

/** `--fail-rate 10%`, or 0.1; as a fraction. */
export function shareOption(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  const value = match === null ? NaN : Number(match[1]) / (match[2] === "%" ? 100 : 1);
  if (!(value >= 0 && value <= 1)) {
    throw new InvalidArgumentError("it must be a share from 0% to 100%, like 10%");
  }
  return value;
}

/** `--rate 200/s`; as a number per second. */
export function rateOption(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(?:\/(s|m))?$/.exec(text);
  const value = match === null ? NaN : Number(match[1]) / (match[2] === "m" ? 60 : 1);
  if (!(value > 0)) throw new InvalidArgumentError("it must be a rate, like 200/s");
  return value;
}

const SIZES: Readonly<Record<string, number>> = { KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/** `--record-max-size 100MB`, as a number of bytes. A KB has 1024 bytes. */
export function sizeOption(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?) ?(KB|MB|GB)$/i.exec(text) ?? [];
  const value = Math.floor(Number(number) * (SIZES[unit.toUpperCase()] ?? NaN));
  if (!(value > 0)) throw new InvalidArgumentError("it must be a size, like 100MB");
  return value;
}

/** `--html report.html`: a file to read or write. */
export function fileOption(text: string): string {
  if (text === "") throw new InvalidArgumentError("it must be the name of a file");
  return text;
}

/** `--server-name lab.example`: the name that a certificate must contain. */
export function hostOption(text: string): string {
  if (!/^[^\s/]+$/.test(text)) throw new InvalidArgumentError("it must be a name or an address");
  return text;
}

/** `--algorithm maglev`: one of these names. */
export function nameOption<T extends string>(
  flag: string,
  names: readonly T[],
): (text: string) => T {
  return (text) => {
    const name = names.find((one) => one === text);
    if (name !== undefined) return name;
    throw new UserError(`unknown ${flag} "${text}"`, {
      exitCode: 2,
      hint: didYouMean(text, names) ?? `one of: ${names.join(", ")}`,
    });
  };
}

/** An address given as an argument. */
export function addressOption(name: string, text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new UserError(`${name}: ${error.message}`, { exitCode: 2 });
    }
    throw error;
  }
}

/** Parses an option's value with a parser that throws a SyntaxError with a helpful message. */
export function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SyntaxError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}
