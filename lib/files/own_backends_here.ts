/** Detects a balancer that is its own backend, by the names that this machine can look up. */
import { lookup } from "node:dns/promises";
import { type Address, canonicalIp, NS_PER_S, parseIp } from "../base/mod.ts";
import { arrivesAt, type Endpoints, type Finding, ownBackends } from "../config/mod.ts";
import { sleep } from "../io/mod.ts";

/** Returns the IP addresses of a host name; an empty list if it has none. */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** The longest time that the start of a balancer waits for the addresses of a name. */
const LOOKUP_TIMEOUT = NS_PER_S;

/** Looks a name up as a connect does. The list is empty if the lookup fails or takes too long. */
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
 * Finds the backends that are the balancer itself, by the addresses of this machine and of host names.
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
