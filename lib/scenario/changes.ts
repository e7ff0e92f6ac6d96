/** Settings that change during a run: makes a complete scenario for each stage, the time between two changes. */
import { type Config, type Finding, isData, type Path, validate } from "../config/mod.ts";
import { didYouMean, formatDuration } from "../base/mod.ts";
import type { Built } from "./build.ts";
import { apply, parsePath, type Patch } from "./patch.ts";
import { type ScenarioFile, scenarioSchema } from "./schema.ts";
import { reassign } from "./study.ts";
import type { Change, Scenario } from "./types.ts";

type WrittenChange = ScenarioFile["changes"][number];

/** The parts of a scenario that can change during a run. */
export const CHANGEABLE: readonly string[] = [
  "balancer",
  "workload",
  "service",
  "servers",
  "network",
];

/** The reasons for which other parts cannot change. */
const FIXED: Readonly<Record<string, string>> = {
  load_balancers: "the number of balancers is fixed; `kind: lb-restart` restarts one",
  idle_reports: "this setting is the same for the whole run",
  hash_placement: "this setting is the same for the whole run",
  faults: "a fault has its own times: `at` and `for`",
  duration: "the end of the run is fixed at its start",
  connections: "the end of the run is fixed at its start",
  warmup: "the end of the warm-up is fixed at the start of the run",
  seed: "this setting is the same for the whole run",
};

/** Reads the stages of a run. Each stage, the time between two changes, is a complete scenario. */
export interface StageReader {
  /** The data of the scenario, with the settings of the configuration that it extends. */
  readonly data: Readonly<Record<string, unknown>>;
  balancer(data: unknown): { readonly config?: Config; readonly findings: readonly Finding[] };
  build(file: ScenarioFile, config: Config): Built;
}

/** The ids of backends that the changes name in lists, in the order of time. */
export function backendsIn(changes: readonly WrittenChange[]): string[] {
  const ids = inOrder(changes).flatMap(({ change: { set } }) =>
    Object.entries(set).flatMap(([key, value]): unknown[] => {
      if (parsePath(key).join(".") !== "balancer.backends") return [];
      if (typeof value === "number") return Array.from({ length: value }, (_, i) => `B${i + 1}`);
      return Array.isArray(value) ? value.map((item) => isData(item) ? item.id : undefined) : [];
    })
  );
  return [...new Set(ids.filter((id) => typeof id === "string"))];
}

/** The scenario after each change, and the mistakes in them. */
export function changesOf(
  changes: readonly WrittenChange[],
  start: Scenario,
  reader: StageReader,
): { readonly changes: readonly Change[]; readonly findings: readonly Finding[] } {
  const findings: Finding[] = [];
  const stages: Change[] = [];
  let data: unknown = { ...reader.data, extends: undefined, changes: undefined };
  let before = start;
  for (const { change: { at, set }, place } of inOrder(changes)) {
    const path = ["changes", place];
    if ("duration" in start.end && at >= start.end.duration) {
      const end = formatDuration(start.end.duration);
      findings.push({
        path: [...path, "at"],
        message: `the change comes after the end of the run (${end})`,
        follows: [["duration"], ["connections"], ["workload", "arrivals"]],
      });
    }
    const patches: Patch[] = [];
    const known = findings.length;
    for (const [key, value] of Object.entries(set)) {
      const blame = { path: [...path, "set", key] };
      const refusal = refusalOf(key, blame.path);
      if (refusal !== undefined) {
        findings.push(refusal);
        continue;
      }
      try {
        const { data: after, ...where } = apply(expanded(data, key), {
          path: parsePath(key),
          value,
          blame,
        });
        data = after;
        patches.push({ value, blame, ...where });
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        findings.push({ path: blame.path, key: true, message: error.message });
      }
    }
    if (findings.length > known) continue;
    const next = stageOf(data, reader);
    for (const finding of next.findings) {
      const moved = reassign(finding, patches);
      // The mistake may be in another setting, which is valid only with the old value of a changed setting.
      findings.push(
        moved.path[0] === "changes" ? moved : { ...moved, path: [...path, "set"], key: true },
      );
    }
    if (next.scenario === undefined) continue;
    const impossible = impossibleChange(before, next.scenario);
    if (impossible !== undefined) {
      findings.push({ path: [...path, "set"], key: true, message: impossible });
    }
    before = next.scenario;
    stages.push({ at, to: next.scenario });
  }
  return { changes: stages, findings };
}

/** Sorts changes by time. Changes at the same time keep their order. */
function inOrder(changes: readonly WrittenChange[]) {
  return changes.map((change, place) => ({ change, place }))
    .toSorted((a, b) => a.change.at - b.change.at);
}

function refusalOf(key: string, path: Path): Finding | undefined {
  const first = String(parsePath(key)[0]);
  if (CHANGEABLE.includes(first)) return undefined;
  return {
    path,
    key: true,
    message: `"${key}" cannot change during a run`,
    hint: FIXED[first] ?? didYouMean(first, CHANGEABLE) ??
      `a path that begins with one of: ${CHANGEABLE.join(", ")}`,
  };
}

/** Replaces a number of backends by a list of backends, if the path names one of them. */
function expanded(data: unknown, key: string): unknown {
  const [first, second, ...rest] = parsePath(key);
  if (first !== "balancer" || second !== "backends" || rest.length === 0) return data;
  const { balancer } = data as { readonly balancer?: unknown };
  if (!isData(balancer) || typeof balancer.backends !== "number") return data;
  const backends = Array.from({ length: balancer.backends }, (_, i) => ({ id: `B${i + 1}` }));
  return { ...data as object, balancer: { ...balancer, backends } };
}

function stageOf(data: unknown, reader: StageReader): Built {
  const { value, findings } = validate(scenarioSchema, data, () => []);
  const { config, findings: inBalancer } = reader.balancer(data);
  if (value === undefined || config === undefined) {
    return { findings: [...findings, ...inBalancer] };
  }
  return reader.build(value, config);
}

/** Why a run cannot continue with these settings; undefined if it can. */
function impossibleChange(from: Scenario, to: Scenario): string | undefined {
  const [before, after] = [from.workload.arrivals, to.workload.arrivals];
  if (isOpen(before) !== isOpen(after) || !isOpen(before) && before.kind !== after.kind) {
    return "arrivals cannot change between a closed loop, a trace and random arrivals during a run";
  }
  if (before.kind === "closed" && after.kind === "closed" && before.clients !== after.clients) {
    return "the number of clients of a closed loop cannot change during a run";
  }
  const disciplines = new Map(
    from.balancer.backends.map(({ id }, i) => [id, from.servers[i]!.discipline]),
  );
  const changed = to.balancer.backends.find(({ id }, i) =>
    disciplines.has(id) && disciplines.get(id) !== to.servers[i]!.discipline
  );
  if (changed !== undefined) {
    return `the discipline of ${changed.id} cannot change during a run: its requests are already in the order of the present discipline`;
  }
  const stores = [from, to].map(({ balancer: { sticky } }) => sticky?.store ?? "memory");
  const isStored = stores.some((store) => store !== "memory");
  if (isStored && JSON.stringify(from.balancer.sticky) !== JSON.stringify(to.balancer.sticky)) {
    return "stickiness with a store of sessions cannot change during a run";
  }
  return undefined;
}

function isOpen({ kind }: Scenario["workload"]["arrivals"]): boolean {
  return kind !== "closed" && kind !== "trace";
}
