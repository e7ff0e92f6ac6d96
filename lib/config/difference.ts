import * as z from "zod";
import { snakeKeys } from "./camel.ts";
import { type Data, isData, isSame } from "./data.ts";
import { withoutPasswords } from "./diagnostic.ts";
import type { Config } from "./config_draft.ts";
import { configSchema } from "./schema.ts";

/** What cannot change while a balancer runs. */
const NEEDS_RESTART = ["listen", "log"];

/** What is different between two configurations. */
export interface Difference {
  /** What a running balancer takes over, one line each. */
  readonly changes: readonly string[];
  /** What needs a restart. */
  readonly ignored: readonly string[];
}

/** A configuration as it would be written, with all its defaults. */
type Written = Data & {
  readonly backends: readonly Backend[];
  readonly sticky?: Data;
};
type Backend = Data & { readonly id: string; readonly address: string };

/**
 * How a configuration differs from the one before, in the words in which it is written.
 *
 * @param started The configuration with which the balancer was started: what needs a restart is as it says.
 */
export function difference(before: Config, after: Config, started = before): Difference {
  const [had, has, runs] = [written(before), written(after), written(started)];
  const keys = keysOf(had, has).filter((key) => ![...APART, ...NEEDS_RESTART].includes(key));
  return {
    changes: [
      ...backendChanges(had.backends, has.backends),
      ...keys.flatMap((key) => changed(key, had[key], has[key])),
      ...changed("sticky", withoutStore(had), withoutStore(has)),
    ],
    ignored: [
      ...NEEDS_RESTART.flatMap((key) => changed(key, runs[key], has[key])),
      // While clients do not stick, nothing is kept anywhere.
      ...has.sticky === undefined ? [] : changed("sticky.store", storeOf(runs), storeOf(has)),
    ],
  };
}

/** A configuration as config.yaml would state it, with all its defaults; asterisks are in place of passwords. */
export function writtenConfig(config: Config): Data {
  const { sticky } = config;
  const { store = "memory" } = sticky ?? {};
  if (sticky === undefined || store === "memory" || store.redis === undefined) {
    return written(config);
  }
  const { password } = store.redis;
  const redis = { ...store.redis, ...password !== undefined && { password: "******" } };
  return written({ ...config, sticky: { ...sticky, store: { ...store, redis } } });
}

function written(config: Config): Written {
  return z.encode(configSchema, snakeKeys(config) as z.output<typeof configSchema>) as Written;
}

/** Keys that are not compared as they stand. */
const APART = ["backends", "sticky"];

function withoutStore({ sticky }: Written): unknown {
  if (sticky === undefined) return undefined;
  const { store: _, ...rest } = sticky;
  return rest;
}

/** Where sessions are kept, which cannot change while a balancer runs. */
function storeOf({ sticky }: Written): unknown {
  return sticky?.store ?? "memory";
}

function backendChanges(before: readonly Backend[], after: readonly Backend[]): string[] {
  const had = new Map(before.map((backend) => [backend.id, backend]));
  const has = new Map(after.map((backend) => [backend.id, backend]));
  return [
    ...before.filter(({ id }) => !has.has(id)).map(({ id }) => `backend ${id} removed`),
    ...after.flatMap((backend) => {
      const old = had.get(backend.id);
      if (old !== undefined) return changed(backend.id, old, backend);
      return [`backend ${backend.id} added at ${backend.address}`];
    }),
  ];
}

/** Lines like `health_check.interval: 2s → 1s`. */
function changed(path: string, before: unknown, after: unknown): string[] {
  if (isSame(before, after)) return [];
  if (isData(before) && isData(after)) {
    return keysOf(before, after).flatMap((key) =>
      changed(`${path}.${key}`, before[key], after[key])
    );
  }
  return [withoutPasswords(`${path}: ${shown(before)} → ${shown(after)}`)];
}

function keysOf(...groups: readonly Data[]): string[] {
  return [...new Set(groups.flatMap((group) => Object.keys(group)))];
}

/** As YAML writes it on one line. */
function shown(value: unknown): string {
  if (value === undefined) return "off";
  if (Array.isArray(value)) return `[${value.map(shown).join(", ")}]`;
  if (!isData(value)) return String(value);
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return `{${entries.map(([key, inner]) => `${key}: ${shown(inner)}`).join(", ")}}`;
}
