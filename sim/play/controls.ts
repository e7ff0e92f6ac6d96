/**
 * The settings of a scenario that can change during a run, for forms. They are computed from the schema of scenarios.
 */
import * as z from "zod";
import { isData, valueAt, YamlFile } from "../../lib/config/mod.ts";
import { ScenarioDraft, scenarioSchema } from "../../lib/scenario/mod.ts";
import type { RunDocument } from "./document.ts";
import type { Control } from "./types.ts";

/**
 * The groups of controls, in the order of the page, with their settings. The groups `load` and `algorithm` depend on
 * the scenario.
 */
const GROUPS: readonly (readonly [group: string, paths: readonly string[]])[] = [
  ["health checks", keysOf("balancer.health_check", "type interval timeout rise fall jitter")],
  ["stickiness", optional("balancer.sticky", "ttl max_entries on_failback drain ipv4_prefix")],
  ["limits", [
    "balancer.limits.connections",
    ...keysOf("balancer.limits.per_client", "connections rate"),
  ]],
  ["queue", optional("balancer.queue", "length timeout")],
  ["slow start", optional("balancer.slow_start", "duration floor")],
  ["ejection", optional("balancer.ejection", "failures base max max_share")],
  ["retries and timeouts", [
    "balancer.retries",
    ...keysOf("balancer.timeouts", "connect idle"),
    ...keysOf("balancer", "on_down when_none_available"),
  ]],
  ["clients", [
    ...keysOf("workload", "timeout requests_per_connection think_time"),
    ...keysOf("workload.retries", "max backoff multiplier jitter"),
  ]],
  ["service and network", [
    "service",
    ...keysOf("servers.default", "slots queue speed"),
    ...keysOf("network", "latency"),
  ]],
];

/** The keys of arrivals that can change, by the kind of arrivals. */
const LOAD_KEYS: Readonly<Record<string, string>> = {
  poisson: "load rate",
  deterministic: "load rate",
  diurnal: "load rate amplitude",
  on_off: "rate on off",
  renewal: "gap",
  closed: "think",
};

/** Labels of settings whose last key is not a good label. */
const LABELS: Readonly<Record<string, string>> = {
  "balancer.sticky": "sticky",
  "balancer.limits.per_client.connections": "connections per client",
  "balancer.limits.per_client.rate": "rate per client",
  "servers.default.slots": "slots of each backend",
  "servers.default.queue": "queue of each backend",
  "servers.default.speed": "speed of each backend",
  service: "service time",
};

/** Examples of settings that have neither a default nor an example in the schema. */
const EXAMPLES: Readonly<Record<string, string>> = {
  "balancer.limits.per_client.connections": "10",
  "network.latency": "1ms",
  "balancer.algorithm.bounded_load": "1.25",
};

function keysOf(group: string, keys: string): string[] {
  return keys.split(" ").map((key) => `${group}.${key}`);
}

/** A group that can be off, and its keys. */
function optional(group: string, keys: string): string[] {
  return [group, ...keysOf(group, keys)];
}

/** The settings that a form can change in a run, with their values at the start. */
export function controlsOf(document: RunDocument): Control[] {
  const written = writtenIn(document);
  const arrivals = written("workload.arrivals") ?? { poisson: {} };
  const [kind = ""] = isData(arrivals) ? Object.keys(arrivals) : [];
  const keys = LOAD_KEYS[kind];
  return [
    ...keys === undefined ? [] : keysOf(`workload.arrivals.${kind}`, keys).map((path) => ({
      ...controlAt(path, "load", written),
      // The path without the kind stays valid if a change replaces the kind of arrivals.
      path: path.replace(`.${kind}.`, "."),
      value: loadIn(arrivals, kind, path.split(".").at(-1)!),
    })),
    ...algorithmControls(written("balancer.algorithm") ?? "round-robin"),
    ...GROUPS.flatMap(([group, paths]) => paths.map((path) => controlAt(path, group, written))),
  ];
}

type Written = (path: string) => unknown;

/** Reads values from a scenario, or from the config.yaml that it extends. */
function writtenIn(document: RunDocument): Written {
  const { data } = new ScenarioDraft(new YamlFile(document), []);
  const base = isData(data) ? document.files[String(data.extends)] : undefined;
  const extended = base === undefined ? undefined : { balancer: new YamlFile(base).data };
  return (path) => {
    const steps = path.split(".");
    return valueAt(data, steps) ?? valueAt(extended, steps);
  };
}

/** `{poisson: 300/s}` is short for `{poisson: {rate: 300/s}}`. */
function loadIn(arrivals: unknown, kind: string, key: string): unknown {
  const inner = valueAt(arrivals, [kind]);
  return (isData(inner) ? inner[key] : key === "rate" ? inner : undefined) ?? null;
}

function controlAt(path: string, group: string, written: Written): Control {
  const steps = path.split(".");
  const described = describe(steps);
  const parent = steps.slice(0, -1).join(".");
  const isOff = [undefined, "off"].includes(written(parent) as string) && canBeOff(parent);
  const initial = described.initial ?? null;
  return {
    path,
    group,
    label: LABELS[path] ?? steps.at(-1)!.replaceAll("_", " "),
    meaning: described.meaning,
    value: written(path) ?? (canBeOff(path) ? "off" : isOff ? null : initial),
    input: canBeOff(path)
      ? { kind: "flag", on: {}, off: "off" }
      : inputOf(described.leaf, initial ?? described.example ?? EXAMPLES[path]),
    algorithm: null,
  };
}

function canBeOff(path: string): boolean {
  return ["sticky", "queue", "slow_start", "ejection"].some((key) => path === `balancer.${key}`);
}

function algorithmControls(algorithm: unknown): Control[] {
  const present = isData(algorithm) ? algorithm : { name: algorithm };
  const groups = algorithmGroups();
  const parameters = groups.flatMap(({ name, shape }) =>
    Object.keys(shape).filter((key) => key !== "name").map((key): Control => {
      const { leaf, meaning, initial = null } = unwrapped(shape[key]!);
      const path = `balancer.algorithm.${key}`;
      return {
        path,
        group: "algorithm",
        label: key.replaceAll("_", " "),
        meaning,
        value: (present.name === name ? present[key] : undefined) ?? initial,
        input: inputOf(leaf, initial ?? EXAMPLES[path]),
        algorithm: name,
      };
    })
  );
  return [{
    path: "balancer.algorithm",
    group: "algorithm",
    label: "algorithm",
    meaning: "the rule that chooses a backend",
    value: present.name,
    input: { kind: "choice", options: groups.map(({ name }) => name) },
    algorithm: null,
  }, ...parameters];
}

/** Each algorithm with the keys of its parameters. */
function algorithmGroups() {
  const groups = (schema: z.core.$ZodType): z.ZodObject[] => {
    if (schema instanceof z.ZodObject) return [schema];
    const { def } = schema._zod;
    if (schema instanceof z.ZodUnion) return schema._zod.def.options.flatMap(groups);
    if (schema instanceof z.ZodPipe) return groups(schema._zod.def.in);
    return "innerType" in def ? groups(def.innerType as z.core.$ZodType) : [];
  };
  const { balancer } = scenarioSchema.shape;
  return groups(balancer.unwrap().shape.algorithm).map(({ shape }) => {
    const { name } = shape;
    return { name: String((name as z.ZodLiteral).value), shape };
  });
}

/** The description of a key in the schema. */
interface Described {
  readonly leaf: z.core.$ZodType;
  readonly meaning: string;
  readonly initial: unknown;
  readonly example: unknown;
}

function describe(steps: readonly string[]): Described {
  let described = unwrapped(scenarioSchema);
  for (const step of steps) {
    const { leaf } = described;
    const inner = leaf instanceof z.ZodObject
      ? leaf.shape[step]
      : leaf instanceof z.ZodRecord
      ? leaf.valueType
      : undefined;
    if (inner === undefined) throw new Error(`scenarios do not have ${steps.join(".")}`);
    described = unwrapped(inner);
  }
  return described;
}

/** The inner schema, without defaults, conversions, and alternatives to a group. */
function unwrapped(schema: z.core.$ZodType): Described {
  let leaf = schema;
  let meaning: string | undefined;
  let initial: unknown;
  let example: unknown;
  for (;;) {
    const known = z.globalRegistry.get(leaf);
    meaning ??= known?.description;
    initial ??= known?.default;
    example ??= (known?.examples as unknown[] | undefined)?.[0];
    if (leaf instanceof z.ZodDefault || leaf instanceof z.ZodPrefault) {
      initial ??= leaf._zod.def.defaultValue;
      leaf = leaf._zod.def.innerType;
    } else if (leaf instanceof z.ZodOptional) leaf = leaf._zod.def.innerType;
    else if (leaf instanceof z.ZodPipe) leaf = leaf._zod.def.in;
    else if (leaf instanceof z.ZodUnion) {
      const group = leaf._zod.def.options.map(unwrapped).find((one) =>
        one.leaf instanceof z.ZodObject
      );
      if (group === undefined) break;
      leaf = group.leaf;
    } else break;
  }
  return { leaf, meaning: meaning ?? "", initial, example };
}

function inputOf(leaf: z.core.$ZodType, example: unknown): Control["input"] {
  if (leaf instanceof z.ZodEnum) return { kind: "choice", options: leaf.options.map(String) };
  if (leaf instanceof z.ZodBoolean) return { kind: "flag", on: true, off: false };
  const words = example === undefined || example === null
    ? ""
    : isData(example)
    ? JSON.stringify(example)
    : String(example);
  if (leaf instanceof z.ZodNumber) {
    return {
      kind: "number",
      min: leaf.minValue ?? -Infinity,
      max: leaf.maxValue ?? Infinity,
      integer: leaf.isInt,
      example: words,
    };
  }
  return { kind: "text", example: words };
}
