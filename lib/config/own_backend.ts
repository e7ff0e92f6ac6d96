/** Detects a balancer that is its own backend: each connection, and each probe, would open another without end. */
import { lookup } from "node:dns/promises";
import {
  type Address,
  canonicalIp,
  formatAddress,
  isLocal,
  NS_PER_S,
  parseIp,
} from "../base/mod.ts";
import { sleep } from "../io/mod.ts";
import type { Finding } from "./findings.ts";

/** As much of a configuration as says where a balancer listens and connects to. */
export interface Endpoints {
  readonly listen: Address;
  readonly backends: readonly { readonly id: string; readonly address: Address }[];
  readonly healthCheck: { readonly port?: number | undefined; readonly type?: unknown };
}

/** The IP addresses of a host name; none if there are none. */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** The longest time that a start waits for the addresses of a name. */
const LOOKUP_TIMEOUT = NS_PER_S;

/** Asks the system, as a connect does. */
export async function resolveName(name: string): Promise<readonly string[]> {
  const done = new AbortController();
  const found = lookup(name, { all: true })
    .then((all) => all.map(({ address }) => canonicalIp(address)), () => []);
  const late = sleep(LOOKUP_TIMEOUT, done.signal).then(() => []);
  const addresses = await Promise.race([found, late]);
  done.abort();
  return addresses;
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

/** Where a connect to a host arrives. */
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
      message: `backend ${i + 1} is the balancer itself: ${formatAddress(address)} is where it ` +
        `listens (${where})`,
      hint: "the balancer would connect to itself without end: one of the two needs another port",
      follows: [["listen"]],
    }]
  );
  if (port === undefined || type === "none") return own;
  const probed = backends.find(({ address: { host } }) => arrives({ host, port }));
  if (probed === undefined) return own;
  return [...own, {
    path: ["health_check", "port"],
    message: `probes of ${probed.id} would arrive at the balancer itself: it listens on ${where}`,
    hint: "name the port on which the backends answer probes, or leave it out",
    follows: [["listen"]],
  }];
}

/**
 * The same with what only this machine knows: its addresses, and those of names.
 *
 * @param local The addresses of this machine.
 */
export async function ownBackendsHere(
  config: Endpoints,
  local: readonly string[],
  resolve: Resolve = resolveName,
): Promise<Finding[]> {
  const { listen, backends, healthCheck } = config;
  const addressesOf = async ({ host, port }: Address) => {
    if (parseIp(host) !== undefined) return [{ host, port }];
    return [{ host, port }, ...(await resolve(host)).map((ip) => ({ host: ip, port }))];
  };
  // A name is looked up only if its port is the one that the balancer listens on.
  const isNear = ({ port }: Address) => [port, healthCheck.port].includes(listen.port);
  const near = backends.map(({ address }) => address).filter(isNear);
  if (near.length === 0 || listen.port === 0) return [];
  const listening = await addressesOf(listen);
  const known = new Map<string, readonly Address[]>(
    await Promise.all(
      near.map(async (address) => [address.host, await addressesOf(address)] as const),
    ),
  );
  return ownBackends(
    config,
    ({ host, port }) =>
      (known.get(host) ?? []).some((target) =>
        listening.some((own) => arrivesAt(own, { ...target, port }, local))
      ),
  );
}
