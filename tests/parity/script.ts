/** What happens to a balancer, step by step: the same for the live one and for the simulated one. */
import type { Nanoseconds } from "../../lib/base/mod.ts";
import { type Config, parseConfig } from "../../lib/config/mod.ts";

/** A step; each is at a moment of its own, in milliseconds, in ascending order. */
export type Step =
  /** The client with this number connects, and closes at `until`: as much later as it had to wait. */
  | { readonly at: number; readonly connect: number; readonly until: number }
  /** A backend dies: its connections end, connects are refused. */
  | { readonly at: number; readonly kill: string }
  /** It is there again. */
  | { readonly at: number; readonly revive: string }
  /** A probe has ended. */
  | { readonly at: number; readonly probe: string; readonly ok: boolean }
  /** The operator's wish. */
  | { readonly at: number; readonly mode: "ready" | "drain" | "maintenance"; readonly of: string };

/** A script, and the balancer to which it happens. */
export interface Script {
  /** The balancer's configuration in YAML, without addresses and probes. */
  readonly config: string;
  readonly ids: readonly string[];
  readonly seed: number;
  readonly steps: readonly Step[];
  /**
   * How long a message takes between a client and the balancer, in milliseconds; no time if left out. A
   * client's request then reaches the balancer three messages after its step, is answered after as long
   * as it was to stay, and its close follows two messages later.
   */
  readonly latency?: number;
}

/** Messages before a client's request is at the balancer: the handshake. */
export const HANDSHAKE = 3;
/** Messages between an answer at the balancer and the client's close there. */
export const FAREWELL = 2;

/**
 * A configuration with these backends; their probes come from the script alone.
 *
 * @param more Further lines.
 */
export function configOf({ config, ids }: Script, ports: readonly number[], more = ""): Config {
  const text = `${config}
${more}listen: 127.0.0.1:0
health_check: {type: tcp, interval: 400h, timeout: 1h, rise: 2, fall: 2, jitter: 0%}
timeouts: {connect: 1h}
`;
  const withPorts = ids.reduce(
    (written, id, i) => written.replace(`id: ${id},`, `id: ${id}, address: 127.0.0.1:${ports[i]},`),
    text,
  );
  return parseConfig({ file: "parity.yaml", text: withPorts });
}

/** Milliseconds as the scheduler counts. */
export function ns(ms: number): Nanoseconds {
  return Math.round(ms * 1e6);
}
