import { isDeepStrictEqual } from "node:util";
import type { Config } from "./mod.ts";
import { formatAddress } from "../address.ts";
import { formatDuration } from "../duration.ts";

/** What cannot change while a balancer runs. */
const NEEDS_RESTART = ["listen", "log"] as const satisfies readonly (keyof Config)[];

/** What is different between two configurations. */
export interface Difference {
  /** What a running balancer takes over, one line each. */
  readonly changes: readonly string[];
  /** What needs a restart. */
  readonly ignored: readonly string[];
}

/** How a configuration differs from the one before. */
export function difference(before: Config, after: Config): Difference {
  const lines = (keys: readonly (keyof Config)[]) =>
    keys.flatMap((key) => changed(snake(key), before[key], after[key]));
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])] as (keyof Config)[];
  const isIgnored = (key: keyof Config) => (NEEDS_RESTART as readonly string[]).includes(key);
  return {
    changes: [
      ...backendChanges(before.backends, after.backends),
      ...lines(keys.filter((key) => !APART.includes(key) && !isIgnored(key))),
      ...changed("sticky", withoutStore(before), withoutStore(after)),
    ],
    ignored: [
      ...lines(keys.filter(isIgnored)),
      ...changed("sticky.store", storeOf(before), storeOf(after)),
    ],
  };
}

/** Keys that are not compared as they stand. */
const APART: readonly (keyof Config)[] = ["backends", "sticky"];

function withoutStore({ sticky }: Config): unknown {
  if (sticky === undefined) return undefined;
  const { store: _, ...rest } = sticky;
  return rest;
}

/** Where sessions are kept, which cannot change while a balancer runs. */
function storeOf({ sticky }: Config): unknown {
  return sticky?.store ?? "memory";
}

type Backends = Config["backends"];

function backendChanges(before: Backends, after: Backends): string[] {
  const had = new Map(before.map((backend) => [backend.id, backend]));
  const has = new Map(after.map((backend) => [backend.id, backend]));
  return [
    ...before.filter(({ id }) => !has.has(id)).map(({ id }) => `backend ${id} removed`),
    ...after.flatMap((backend) => {
      const old = had.get(backend.id);
      const { id, address } = backend;
      if (old === undefined) return [`backend ${id} added at ${formatAddress(address)}`];
      return changed(id, old, backend);
    }),
  ];
}

/** Lines like `health_check.interval: 2s → 1s`. */
function changed(path: string, before: unknown, after: unknown): string[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isGroup(before) && isGroup(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => changed(`${path}.${snake(key)}`, before[key], after[key]));
  }
  return [`${path}: ${shown(path, before)} → ${shown(path, after)}`];
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !("port" in value);
}

/** Keys whose value is a duration. */
const DURATION =
  /(^|[._])(interval|timeout|ttl|connect|idle|drain|decay|initial|age|duration|base|max)$/;

function shown(path: string, value: unknown): string {
  if (value === undefined) return "off";
  if (typeof value === "number" && DURATION.test(path)) return formatDuration(value);
  if (typeof value !== "object" || value === null) return String(value);
  if ("host" in value && "port" in value) {
    return formatAddress({ host: String(value.host), port: Number(value.port) });
  }
  if (Array.isArray(value)) return `[${value.map((item) => shown(path, item)).join(", ")}]`;
  const entries = Object.entries(value).map(([key, inner]) =>
    `${snake(key)}: ${shown(`${path}.${snake(key)}`, inner)}`
  );
  return `{${entries.join(", ")}}`;
}

function snake(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
