import { type Address, formatAddress, isLocal, isWildcard, UserError } from "../base/mod.ts";
import { localAddresses } from "./local_addresses.ts";
import { systemReason } from "./system_error.ts";

/**
 * How many connections the system completes and keeps until they are accepted. Linux allows
 * net.core.somaxconn, 4096 by default. Deno's own value, 511, is too small for a burst of clients: the system drops
 * some of them, and each of these tries again only after a second.
 */
const BACKLOG = 4096;

/**
 * Listens for TCP connections.
 *
 * @throws {UserError} if it cannot listen. The message has the reason and the remedy in one line.
 */
export function listen(address: Address): Deno.TcpListener {
  return attempt(address, (where) => Deno.listen({ ...where, tcpBacklog: BACKLOG }));
}

/**
 * Listens for TLS connections.
 *
 * @throws {UserError} like `listen`.
 */
export function listenTls(
  address: Address,
  pair: { readonly certificate: string; readonly key: string },
): Deno.TlsListener {
  const { certificate: cert, key } = pair;
  return attempt(address, (where) => Deno.listenTls({ ...where, cert, key, tcpBacklog: BACKLOG }));
}

function attempt<Listener>(
  address: Address,
  open: (where: { hostname: string; port: number }) => Listener,
): Listener {
  try {
    return open({ hostname: address.host, port: address.port });
  } catch (error) {
    throw new UserError(`cannot listen on ${formatAddress(address)}: ${reason(error, address)}`, {
      cause: error,
    });
  }
}

function reason(error: unknown, { host, port }: Address): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `port ${port} is in use; stop the program that uses it (\`ss -ltnp 'sport = :${port}'\` shows it) ` +
      "or choose another port";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return `this machine has no address ${host}; it has ${localAddresses().join(", ")}`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return port < 1024
      ? `port ${port} is privileged; choose a port from 1024, or run as root`
      : "the system does not permit it";
  }
  const text = systemReason(error);
  const known = isWildcard(host) || isLocal(host, localAddresses());
  return known ? text : `${text}; is ${host} an address of this machine?`;
}
