/** Detects a balancer that is its own backend: each connection and each probe would open another one, without end. */
import { type Address, canonicalIp, formatAddress, isLocal } from "../base/mod.ts";
import type { Finding } from "./findings.ts";

/** The addresses on which a balancer listens and to which it connects. */
export interface Endpoints {
  readonly listen: Address;
  readonly backends: readonly { readonly id: string; readonly address: Address }[];
  readonly healthCheck: { readonly port?: number | undefined; readonly type?: unknown };
}

/**
 * Whether a connect to an address arrives where the balancer listens.
 *
 * @param local The addresses of the balancer's machine, besides loopback.
 */
export function arrivesAt(listen: Address, target: Address, local: readonly string[]): boolean {
  if (listen.port !== target.port || listen.port === 0) return false;
  return listen.host === target.host ||
    targets(target.host).some((ip) => isListening(listen.host, ip, local));
}

/** The addresses at which a connect to a host arrives. */
function targets(host: string): readonly string[] {
  if (host === "localhost") return ["127.0.0.1", "::1"];
  if (host === "0.0.0.0") return ["127.0.0.1"];
  if (host === "::") return ["::1"];
  return [canonicalIp(host)];
}

function isListening(host: string, ip: string, local: readonly string[]): boolean {
  if (host === "0.0.0.0") return !ip.includes(":") && isLocal(ip, local);
  if (host === "::") return isLocal(ip, local);
  return targets(host).includes(ip);
}

/** Finds the backends that are the balancer itself, and the probes that arrive there. */
export function ownBackends(
  { listen, backends, healthCheck }: Endpoints,
  arrives: (target: Address) => boolean,
): Finding[] {
  const where = formatAddress(listen);
  const { port, type } = healthCheck;
  const own = backends.flatMap(({ address }, i): Finding[] =>
    !arrives(address) ? [] : [{
      path: ["backends", i, "address"],
      message: `backend ${i + 1} is the balancer itself, because the balancer listens on ` +
        `${formatAddress(address)} (${where})`,
      hint:
        "the balancer would connect to itself again and again: give one of the two another port",
      follows: [["listen"]],
    }]
  );
  if (port === undefined || type === "none") return own;
  const probed = backends.find(({ address: { host } }) => arrives({ host, port }));
  if (probed === undefined) return own;
  return [...own, {
    path: ["health_check", "port"],
    message: `probes of ${probed.id} would arrive at the balancer itself: it listens on ${where}`,
    hint: "use the port on which the backends answer probes, or remove the key",
    follows: [["listen"]],
  }];
}
