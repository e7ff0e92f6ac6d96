/** Schemas of single values in a YAML file, each with a plain message for a wrong value. */
import * as z from "zod";
import {
  type Address,
  canonicalHost,
  formatAddress,
  formatDuration,
  formatPrefix,
  type Nanoseconds,
  parseAddress,
  parseDuration,
  parsePrefix,
  type Prefix,
} from "../base/mod.ts";
import { isData } from "./data.ts";

/** A mistake in a group as a whole, or in one of its keys if there is a path. */
export interface Complaint {
  readonly message: string;
  readonly path?: readonly string[];
}

/**
 * A rule for a group as a whole. It is also checked if a value inside the group is wrong, so that all mistakes
 * are reported at once. So the rule must expect any value.
 */
export function rule(
  broken: (
    group: Readonly<Record<string, unknown>>,
    hasUnknownKey: boolean,
  ) => Complaint | undefined,
) {
  return z.superRefine<unknown>((value, context) => {
    if (!isData(value)) return;
    // An unknown key may be the misspelt name of a key that seems to be missing.
    const hasUnknownKey = context.issues.some(({ code }) => code === "unrecognized_keys");
    const complaint = broken(value, hasUnknownKey);
    if (complaint === undefined) return;
    const { message, path = [] } = complaint;
    context.addIssue({ code: "custom", message, path: [...path] });
  }, { when: () => true });
}

/** The longest text that is given to a parser, which could need too much time for a longer one. */
export const TEXT_MAX = 2000;

/** The schema of a text with a parser that throws a SyntaxError with a helpful message. */
export function text<T>(options: {
  /** The words after "must be" in a message. */
  readonly what: string;
  readonly examples: readonly string[];
  /** A pattern for editors. The parser may be stricter. */
  readonly pattern: string;
  readonly parse: (text: string) => T;
  /** Writes a value in YAML. */
  readonly format: (value: T) => string;
  /** Whether a number is accepted like its digits in quotes. */
  readonly isNumber?: boolean;
}) {
  const { what, examples, pattern, parse, format, isNumber = false } = options;
  const attempt = (input: string): T | SyntaxError => {
    if (input.length > TEXT_MAX) return new SyntaxError(`must be ${what}: this text is too long`);
    try {
      return parse(input);
    } catch (error) {
      if (error instanceof SyntaxError) return error;
      throw error;
    }
  };
  const error = ({ input }: { readonly input?: unknown }) => {
    if (typeof input !== "number" || !Number.isFinite(input)) return `must be ${what}`;
    const result = attempt(String(input));
    return result instanceof SyntaxError ? result.message : `must be ${what}: put quotes around it`;
  };
  const written = z.string({ error }).meta({ pattern, examples: [...examples] });
  return z.codec(isNumber ? z.union([written, z.int({ error })]) : written, z.custom<T>(), {
    decode(input, { issues }) {
      const result = attempt(String(input));
      if (!(result instanceof SyntaxError)) return result;
      issues.push({ code: "custom", message: result.message, input });
      return z.NEVER;
    },
    encode: format,
  });
}

/** The shortest valid duration, and the reason. */
export interface Least {
  readonly value: Nanoseconds;
  readonly because: string;
}

/** `200ms`, `2s`, `1m30s`. */
export function duration(options: { readonly positive?: boolean; readonly least?: Least } = {}) {
  const { positive, least } = options;
  return text<Nanoseconds>({
    what: "a duration, like 200ms, 2s or 5m",
    examples: ["200ms", "2s", "5m"],
    pattern: "^(\\d+(\\.\\d+)?(ns|us|ms|s|m|h))+$",
    parse(input) {
      const value = parseDuration(input);
      if ((positive || least !== undefined) && value === 0) {
        throw new SyntaxError("must be longer than 0s");
      }
      if (least !== undefined && value < least.value) {
        throw new SyntaxError(
          `${input} is too short: at least ${
            formatDuration(least.value)
          }, because ${least.because}`,
        );
      }
      return value;
    },
    format: formatDuration,
  });
}

/** Where the admin API listens: an address, a Unix socket, or nowhere. */
export type AdminListen = Address | { readonly path: string } | "off";

/** `127.0.0.1:9900`, `unix:/run/lbsim.sock` or `off`. */
export function adminListen() {
  return text<AdminListen>({
    what: "an address like 127.0.0.1:9900, unix:/path, or off",
    examples: ["127.0.0.1:9900", "unix:/run/lbsim.sock", "off"],
    pattern: "^(off|unix:.+|(\\[[0-9a-fA-F:.]+\\]|[^:\\s]+):\\d{1,5})$",
    parse(input) {
      if (input === "off") return input;
      if (!input.startsWith("unix:")) return parseAddress(input);
      const path = input.slice("unix:".length);
      if (!path.startsWith("/")) {
        throw new SyntaxError("a Unix socket needs a path, like unix:/run/lbsim.sock");
      }
      if (path.length > 100) {
        throw new SyntaxError("the path of a Unix socket has at most 100 characters");
      }
      return { path };
    },
    format: formatAdminListen,
  });
}

/** The address of the admin API in the notation of config.yaml. */
export function formatAdminListen(listen: AdminListen): string {
  if (listen === "off") return listen;
  return "path" in listen ? `unix:${listen.path}` : formatAddress(listen);
}

/** `192.168.1.10:8000`, `[::1]:8000`. */
export function address(options: { readonly anyPort?: boolean } = {}) {
  return text<Address>({
    what: "an address with its port, like 192.168.1.10:8000",
    examples: ["192.168.1.10:8000", "[::1]:8000"],
    pattern: "^(\\[[0-9a-fA-F:.]+\\]|[^:\\s]+):\\d{1,5}$",
    parse(input) {
      const port = options.anyPort && /^(?:\*?:)?(\d{1,5})$/.exec(input)?.[1];
      if (port && Number(port) <= 65535) {
        throw new SyntaxError(
          `the host is missing: write 127.0.0.1:${port} for clients on this machine only, ` +
            `0.0.0.0:${port} for those of every network`,
        );
      }
      const value = parseAddress(input);
      if (value.port === 0 && !options.anyPort) {
        throw new SyntaxError("port 0 is out of range: a port is 1 to 65535");
      }
      return value;
    },
    format: formatAddress,
  });
}

/** `192.168.1.0/24`, `2001:db8::/32`, `10.0.0.7`. */
export function prefix() {
  return text<Prefix>({
    what: "an address or a prefix, like 192.168.1.0/24",
    examples: ["192.168.1.0/24", "10.0.0.7"],
    pattern: "^[0-9a-fA-F:.]+(/\\d{1,3})?$",
    parse: parsePrefix,
    format: formatPrefix,
  });
}

/** `800/s`, `30/m`, as a number per second. */
export function rate() {
  return text<number>({
    what: "a rate, like 800/s",
    examples: ["800/s"],
    pattern: "^\\d+(\\.\\d+)?/(s|m|h)$",
    parse(input) {
      const match = /^(\d+(?:\.\d+)?)\/(s|m|h)$/.exec(input);
      if (match === null) {
        throw new SyntaxError(
          Number.isFinite(Number(input))
            ? `${input} has no unit: write ${input}/s`
            : `"${input}" is not a rate: write it like 800/s or 30/m`,
        );
      }
      const value = Number(match[1]) / { s: 1, m: 60, h: 3600 }[match[2] as "s" | "m" | "h"];
      if (value === 0) throw new SyntaxError("must be more than 0");
      return value;
    },
    format: (value) => `${value}/s`,
  });
}

/** `80%`, as a fraction. */
export function share(options: { readonly max?: number; readonly positive?: boolean } = {}) {
  const { max = 100, positive = false } = options;
  return text<number>({
    what: "a percentage, like 80%",
    examples: ["80%"],
    pattern: "^\\d+(\\.\\d+)?%$",
    parse(input) {
      const match = /^(\d+(?:\.\d+)?)%$/.exec(input);
      if (match === null) {
        const number = Number(input);
        throw new SyntaxError(
          Number.isFinite(number)
            ? `${input} has no percent sign: write ${number <= 1 ? number * 100 : number}%`
            : `"${input}" is not a percentage: write it like 80%`,
        );
      }
      const value = Number(match[1]);
      if (value > max) throw new SyntaxError(`${input} is too much: at most ${max}%`);
      if (positive && value === 0) throw new SyntaxError("must be more than 0");
      return value / 100;
    },
    format: (value) => `${Number((value * 100).toPrecision(12))}%`,
  });
}

/** A whole number within bounds. */
export function integer(min: number, max: number) {
  const what = max === Number.MAX_SAFE_INTEGER
    ? `a whole number of at least ${min}`
    : `a whole number from ${min} to ${max}`;
  const error = ({ input }: { readonly input?: unknown }) =>
    typeof input === "string" && /^\d+$/.test(input)
      ? `must be ${what}: remove the quotes`
      : `must be ${what}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** `true` or `false`. */
export function flag() {
  return z.boolean({ error: () => "must be true or false" });
}

/** Text that is used unchanged. */
export function words(what: string) {
  const error = ({ input }: { readonly input?: unknown }) =>
    typeof input === "number" || typeof input === "boolean"
      ? `must be ${what}: put quotes around it`
      : `must be ${what}`;
  return z.string({ error }).min(1, {
    error: () => `must be ${what}: it is empty`,
  });
}

/** The address of a Redis or Valkey server, and the user. */
export interface RedisAddress extends Address {
  readonly tls: boolean;
  readonly database: number;
  readonly username?: string;
  readonly password?: string;
}

/**
 * The URL of a server: `redis://127.0.0.1:6379/0`, `rediss://user:password@redis.local`. No message contains
 * the password.
 */
export function redisAddress() {
  return text<RedisAddress>({
    what: "the URL of a Redis or Valkey server, like redis://127.0.0.1:6379/0",
    examples: ["redis://127.0.0.1:6379/0"],
    pattern: "^rediss?://[^\\s]+$",
    parse: parseRedisUrl,
    format: formatRedisUrl,
  });
}

/** The parts of a URL. A name and a password may hold a colon or an @ only as %3A or %40. */
const REDIS_URL =
  /^(?<scheme>rediss?):\/\/(?:(?<username>[^\s/?#:@]*)(?::(?<password>[^\s/?#@]*))?@)?(?<host>\[[\da-f:.]+\]|[^\s/?#:@[\]]+)(?::(?<port>\d{0,5}))?(?<end>[/?#].*)?$/i;

function parseRedisUrl(input: string): RedisAddress {
  const url = REDIS_URL.exec(input)?.groups;
  const port = Number(url?.port || 6379);
  if (url === undefined || port > 65_535) {
    throw new SyntaxError("must be a URL like redis://127.0.0.1:6379/0, or rediss:// for TLS");
  }
  const { scheme, username = "", password = "", host = "", end = "" } = url;
  const database = /^\/?(\d{0,4})$/.exec(end)?.[1];
  if (database === undefined) {
    throw new SyntaxError(
      "must end after the host and port, or with the number of a database, like /0",
    );
  }
  if (port === 0) throw new SyntaxError("port 0 is out of range: a port is 1 to 65535");
  return {
    host: canonicalHost(host.replace(/^\[(.*)\]$/, "$1")),
    port,
    tls: scheme?.toLowerCase() === "rediss",
    database: Number(database),
    ...username !== "" && { username: decoded(username) },
    ...password !== "" && { password: decoded(password) },
  };
}

function formatRedisUrl({ tls, username, password, database, ...address }: RedisAddress): string {
  const who = [username ?? "", ...password === undefined ? [] : [password]]
    .map(encodeURIComponent).join(":");
  const at = who === "" ? "" : `${who}@`;
  return `redis${tls ? "s" : ""}://${at}${formatAddress(address)}/${database}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new SyntaxError("has a % in the name or the password that must be written as %25");
  }
}

/** A number above `above`, up to `max`. */
export function number(above: number, max: number) {
  const error = () => `must be a number above ${above}, at most ${max}`;
  return z.number({ error }).gt(above, { error }).max(max, { error });
}

/**
 * Exactly one of several keys: `{exponential: {mean: 10ms}}`. This is an object with optional keys, not a union,
 * so that a misspelt key is reported as an unknown key.
 */
export function oneKeyOf<Shape extends z.ZodRawShape>(shape: Shape) {
  const optional = Object.fromEntries(
    Object.entries(shape).map(([key, value]) => [key, z.optional(value)]),
  ) as { [Key in keyof Shape]: z.ZodOptional<Shape[Key]> };
  return z.strictObject(optional).check(rule((value, hasUnknownKey) => {
    const keys = Object.keys(value);
    if (keys.length === 1 || (keys.length === 0 && hasUnknownKey)) return undefined;
    return {
      message: keys.length === 0
        ? `needs one of these keys: ${Object.keys(shape).join(", ")}`
        : `${keys.join(" and ")}: use only one of them`,
    };
  }));
}

/** A word for "no limit". */
export function unlimited(word: string) {
  return z.codec(z.literal(word), z.custom<number>(), {
    decode: () => Infinity,
    encode: () => word,
  });
}

/** A count, or a word for an unlimited one. */
export function countOr(word: string, min: number) {
  return z.union([
    integer(min, Number.MAX_SAFE_INTEGER),
    unlimited(word),
  ]);
}
