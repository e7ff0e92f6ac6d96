import type { ServerFault } from "./kind.ts";

/** The effect of all present faults of a backend together. */
export interface FaultEffect {
  /** Whether the process has crashed. */
  readonly down: boolean;
  /** Whether the machine answers nothing. */
  readonly silent: boolean;
  /** Whether the process is paused. */
  readonly paused: boolean;
  /** Whether the process does not listen. */
  readonly refusing: boolean;
  /** Whether each connection is reset when its first data arrive. */
  readonly resetting: boolean;
  /** Whether probes succeed at any load. */
  readonly gray: boolean;
  /** Everything takes this many times as long. */
  readonly slowness: number;
  /** The share of requests that are served and then end in an error. */
  readonly failRate: number;
  /** The share of `expect` and `http` probes that fail. */
  readonly probeFailRate: number;
  /** The share of requests and probes that immediately get an error. */
  readonly fastErrorRate: number;
}

/**
 * The effect of these faults together. `flap` has no effect of its own: it is a `crash` that begins and ends again
 * and again.
 */
export function effectOf(faults: Iterable<ServerFault>): FaultEffect {
  const names = new Set<ServerFault["name"]>();
  let slowness = 1;
  let success = 1;
  let probeSuccess = 1;
  let slowSuccess = 1;
  for (const fault of faults) {
    names.add(fault.name);
    switch (fault.name) {
      case "slow":
        slowness *= fault.factor;
        break;
      case "gray":
        slowness *= fault.factor;
        success *= 1 - fault.rate;
        break;
      case "fail-rate":
        success *= 1 - fault.rate;
        probeSuccess *= 1 - fault.rate;
        break;
      case "fast-errors":
        slowSuccess *= 1 - fault.rate;
    }
  }
  return {
    down: names.has("crash"),
    silent: names.has("hang"),
    paused: names.has("pause"),
    refusing: names.has("refuse"),
    resetting: names.has("reset"),
    gray: names.has("gray"),
    slowness,
    failRate: 1 - success,
    probeFailRate: 1 - probeSuccess,
    fastErrorRate: 1 - slowSuccess,
  };
}

/** The effect of no fault. */
export const NO_EFFECT: FaultEffect = effectOf([]);
