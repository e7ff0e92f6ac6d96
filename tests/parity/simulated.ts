/** Plays a script in virtual time. */
import type { Scheduler } from "../../lib/core/mod.ts";
import { simulate } from "../../sim/mod.ts";
import { queueing } from "../sim/scenarios.ts";
import { type Decision, decisionOf, DECISIONS } from "./decisions.ts";
import { configOf, FAREWELL, HANDSHAKE, ns, type Script, type Step } from "./script.ts";
import { observer } from "../support/events.ts";

/**
 * Plays a script. Returns the decisions after each step, and after each client that closed, by the
 * time.
 */
export function playSimulated(script: Script): Map<number, Decision[]> {
  const { ids, steps, seed, latency = 0 } = script;
  const connects = steps.filter((step) => "connect" in step);
  const config = configOf(script, ids.map((_, i) => i + 1));
  const last = Math.max(...steps.map((step) => "until" in step ? step.until : step.at));
  const end = ns(last + (HANDSHAKE + FAREWELL) * latency + 1);
  const decisions = new Map<number, Decision[]>();
  const scenario = queueing({
    n: ids.length,
    balancer: config,
    server: { slots: Infinity },
    workload: { clients: { count: 250, zipf: 0 } },
    arrivals: {
      kind: "trace",
      entries: connects.map(({ at, connect, until }) => ({
        at: ns(at),
        client: connect - 1,
        work: ns(until - at),
      })),
    },
    faults: ids.flatMap((id, backend) =>
      deaths(steps, id).map(({ from, to }) => ({
        at: ns(from),
        for: to === undefined ? Infinity : ns(to - from),
        backend,
        kind: { name: "crash" } as const,
      }))
    ),
    end: { duration: end },
    warmup: 0,
  });
  const clientLatency = { kind: "deterministic", value: ns(latency) } as const;
  simulate(
    { ...scenario, network: { ...scenario.network, clientLatency } },
    seed,
    {
      checked: true,
      observe: observer((event) => {
        if (!(DECISIONS as readonly string[]).includes(event.type)) return;
        const at = Math.round(event.at_ms * 1000) / 1000;
        decisions.set(at, [...decisions.get(at) ?? [], decisionOf(event)]);
      }),
      operate: steps.flatMap((step) => {
        const act = actOf(step);
        return act === undefined ? [] : [{ at: ns(step.at), act }];
      }),
    },
  );
  return decisions;
}

function actOf(step: Step): ((scheduler: Scheduler, now: number) => void) | undefined {
  if ("probe" in step) {
    return (scheduler, now) => scheduler.probed(step.probe, step.ok, now, 0);
  }
  if ("mode" in step) return (scheduler, now) => scheduler.setMode(step.of, step.mode, now);
  return undefined;
}

function deaths(steps: readonly Step[], id: string): { from: number; to?: number }[] {
  return steps.flatMap((step, i) => {
    if (!("kill" in step) || step.kill !== id) return [];
    const back = steps.slice(i).find((later) => "revive" in later && later.revive === id);
    return [{ from: step.at, ...back !== undefined && { to: back.at } }];
  });
}
