import * as z from "zod";
import { formatAddress } from "../base/mod.ts";
import { camel } from "./camel.ts";
import { type Data, isData, isSame } from "./data.ts";
import { withoutPasswords } from "./diagnostic.ts";
import { type Config, configKeys, configSchema } from "./schema.ts";

/** Keys that a running balancer cannot change. */
const NEEDS_RESTART: readonly (keyof typeof configKeys)[] = ["listen", "log", "admin"];

/** The differences between two configurations. */
export interface Difference {
  /** Changes that a running balancer applies, one line each. */
  readonly changes: readonly string[];
  /** Changes that need a restart, one line each. */
  readonly ignored: readonly string[];
}

/**
 * The differences between a configuration and the previous one, in the notation of config.yaml.
 *
 * @param started The configuration with which the balancer was started. Changes that need a restart are
 * relative to it.
 */
export function difference(before: Config, after: Config, started = before): Difference {
  const keys = KEYS.filter((key) => ![...APART, ...NEEDS_RESTART].includes(key));
  return {
    changes: [
      ...backendChanges(before.backends, after.backends),
      ...keys.flatMap((key) => changedKey(key, before, after)),
      ...changedValues("sticky", withoutStore(before), withoutStore(after)),
    ],
    ignored: [
      ...NEEDS_RESTART.flatMap((key) => changedKey(key, started, after)),
      // Without `sticky` there are no sessions to store.
      ...after.sticky === undefined
        ? []
        : changedValues("sticky.store", storeOf(started), storeOf(after)),
    ],
  };
}

/** A configuration in the notation of config.yaml, with all its defaults. Passwords are replaced by asterisks. */
export function writtenConfig(config: Config): Data {
  const { sticky } = config;
  const { store = "memory" } = sticky ?? {};
  if (sticky === undefined || store === "memory" || store.redis === undefined) {
    return z.encode(configSchema, config);
  }
  const { password } = store.redis;
  const redis = { ...store.redis, ...password !== undefined && { password: "******" } };
  return z.encode(configSchema, { ...config, sticky: { ...sticky, store: { ...store, redis } } });
}

const KEYS = Object.keys(configKeys) as (keyof typeof configKeys)[];

/** Keys that are not compared as a whole. */
const APART: readonly string[] = ["backends", "sticky"];

/** The differences under one key of config.yaml. Only keys that differ are encoded. */
function changedKey(key: keyof typeof configKeys, before: Config, after: Config): string[] {
  const name = camel(key) as keyof Config;
  if (isSame(before[name], after[name])) return [];
  const [had, has] = [before, after].map((config) => written(configKeys[key], config[name]));
  return changedValues(key, had, has);
}

/** A value in the notation of config.yaml, with all its defaults. */
function written(schema: z.ZodType, value: unknown): unknown {
  return z.encode(schema, value);
}

/** The settings of `sticky` without the store of its sessions. */
function withoutStore({ sticky }: Config): unknown {
  if (sticky === undefined) return undefined;
  const { store: _, ...rest } = written(configKeys.sticky, sticky) as Data;
  return rest;
}

/** The store of sessions, which a running balancer cannot change. */
function storeOf({ sticky }: Config): unknown {
  return sticky === undefined ? "memory" : (written(configKeys.sticky, sticky) as Data).store;
}

type Backends = Config["backends"];

function backendChanges(before: Backends, after: Backends): string[] {
  const had = new Map(before.map((backend) => [backend.id, backend]));
  const has = new Map(after.map((backend) => [backend.id, backend]));
  const { element } = configKeys.backends;
  return [
    ...before.filter(({ id }) => !has.has(id)).map(({ id }) => `backend ${id} removed`),
    ...after.flatMap((backend) => {
      const { id, address } = backend;
      const old = had.get(id);
      if (old === undefined) return [`backend ${id} added at ${formatAddress(address)}`];
      return isSame(old, backend)
        ? []
        : changedValues(id, written(element, old), written(element, backend));
    }),
  ];
}

/** The differences between two values in the notation of config.yaml: lines like `health_check.interval: 2s → 1s`. */
export function changedValues(path: string, before: unknown, after: unknown): string[] {
  if (isSame(before, after)) return [];
  if (isData(before) && isData(after)) {
    return keysOf(before, after).flatMap((key) =>
      changedValues(`${path}.${key}`, before[key], after[key])
    );
  }
  return [withoutPasswords(`${path}: ${shown(before)} → ${shown(after)}`)];
}

function keysOf(...groups: readonly Data[]): string[] {
  return [...new Set(groups.flatMap((group) => Object.keys(group)))];
}

/** A value in YAML, on one line. */
function shown(value: unknown): string {
  if (value === undefined) return "off";
  if (Array.isArray(value)) return `[${value.map(shown).join(", ")}]`;
  if (!isData(value)) return String(value);
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return `{${entries.map(([key, inner]) => `${key}: ${shown(inner)}`).join(", ")}}`;
}
