/** The steps of a test, which are the same for the live balancer and for the simulated one. */
import type { Nanoseconds } from "../../lib/base/mod.ts";
import { type Config, parseConfig } from "../../lib/config/mod.ts";

/** A step. Each step has its own time, in milliseconds, in ascending order. */
export type Step =
  /** The client with this number connects, and closes at `until`, or later by the time that it had to wait. */
  | { readonly at: number; readonly connect: number; readonly until: number }
  /** A backend dies: its connections end, connects are refused. */
  | { readonly at: number; readonly kill: string }
  /** A dead backend returns. */
  | { readonly at: number; readonly revive: string }
  /** A probe has ended. */
  | { readonly at: number; readonly probe: string; readonly ok: boolean }
  /** The operator wishes a mode. */
  | { readonly at: number; readonly mode: "ready" | "drain" | "maintenance"; readonly of: string };

/** A script, and the configuration of its balancer. */
export interface Script {
  /** The balancer's configuration in YAML, without addresses and probes. */
  readonly config: string;
  readonly ids: readonly string[];
  readonly seed: number;
  readonly steps: readonly Step[];
  /**
   * How long a message takes between a client and the balancer, in milliseconds; no time if left out. A client's
   * request then reaches the balancer three messages after its step. The answer comes after the time that the client
   * should stay. The close of the client follows two messages later.
   */
  readonly latency?: number;
}

/** The number of messages until a client's request is at the balancer: the handshake. */
export const HANDSHAKE = 3;
/** The number of messages from an answer at the balancer to the client's close there. */
export const FAREWELL = 2;

/**
 * A configuration with these backends. The balancer sends no probes: their results come only from
 * the script.
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

/** Milliseconds as nanoseconds, which the scheduler uses. */
export function ns(ms: number): Nanoseconds {
  return Math.round(ms * 1e6);
}
