import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { Change, Fault } from "../../lib/scenario/types.ts";
import type { ReadyScenario } from "./replications.ts";

/** The differences of a scenario from another one, which are all later than a time. */
export interface Extension {
  readonly scenario: ReadyScenario;
  readonly changes: readonly Change[];
  readonly faults: readonly Fault[];
  /** Faults that end although they did not before, by their place in the list. */
  readonly ends: ReadonlyMap<number, Fault>;
  /** Whether a backend joins that the former scenario does not have. */
  readonly joins: boolean;
}

/**
 * The additions to a scenario: changes and faults at the end of their lists, and ends of faults. A run that has
 * reached a time before all of them can continue with the new scenario. The result is the same as if the run had
 * begun with it.
 *
 * @returns Undefined if the scenarios differ in something else.
 */
export function extensionOf(
  before: ReadyScenario,
  after: ReadyScenario,
  now: Nanoseconds,
): Extension | undefined {
  if (!isSame(withoutEvents(before), withoutEvents(after))) return undefined;
  const [oldChanges, newChanges] = [before.changes ?? [], after.changes ?? []];
  const known = newChanges.slice(0, oldChanges.length);
  if (!isSame(oldChanges.map(settingsOf), known.map(settingsOf))) return undefined;
  const changes = newChanges.slice(oldChanges.length);
  if (changes.some(({ at }) => at <= now)) return undefined;
  const present = idsOf(before);
  const joins = [...idsOf(after)].some((id) => !present.has(id));
  // Only a world that closes connections at some time prepares for this at its start.
  if (closes(after) && !closes(before)) return undefined;
  if (after.faults.length < before.faults.length) return undefined;
  const ends = new Map<number, Fault>();
  for (const [i, fault] of before.faults.entries()) {
    const later = after.faults[i]!;
    if (isSame(fault, later)) continue;
    const isEnded = fault.for === Infinity && later.at + later.for > now &&
      isSame({ ...fault, for: 0 }, { ...later, for: 0 });
    if (!isEnded) return undefined;
    ends.set(i, later);
  }
  const faults = after.faults.slice(before.faults.length);
  if (faults.some(({ at }) => at <= now)) return undefined;
  return { scenario: after, changes, faults, ends, joins };
}

function withoutEvents(scenario: ReadyScenario): object {
  return { ...scenario, faults: undefined, changes: undefined };
}

/** The settings of a change, without the faults of its scenario. */
function settingsOf({ at, to }: Change): object {
  return { at, to: { ...to, faults: undefined } };
}

function stagesOf(scenario: ReadyScenario) {
  return [scenario.balancer, ...scenario.changes?.map(({ to }) => to.balancer) ?? []];
}

function idsOf(scenario: ReadyScenario): Set<string> {
  return new Set(stagesOf(scenario).flatMap(({ backends }) => backends.map(({ id }) => id)));
}

function closes(scenario: ReadyScenario): boolean {
  return stagesOf(scenario).some(({ onDown }) => onDown === "close");
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
