import { lookup } from "node:dns/promises";
import { isIP, isIPv6 } from "node:net";
import type { Address } from "../../lib/base/mod.ts";
import {
  descriptorsLeft,
  localAddresses,
  type LocalResource,
  localShortage,
  systemCode,
  systemReason,
} from "../../lib/io/mod.ts";
import type { ConnectFailure } from "../../lib/core/mod.ts";

/** A connect that failed. */
export class DialFailure {
  readonly reason: ConnectFailure;
  /** More about the failure, in a few words. */
  readonly detail: string | undefined;
  /** The resource that this machine lacks. Then the cause of the failure is not the backend. */
  readonly shortage: LocalResource | undefined;

  constructor(reason: ConnectFailure, detail?: string, shortage?: LocalResource) {
    this.reason = reason;
    this.detail = detail;
    this.shortage = shortage;
  }
}

/** Finds all IP addresses of a name, in the order in which they are tried. */
export type Resolver = (name: string) => Promise<readonly string[]>;

/** If an address does not answer for this long, the next one is tried at the same time (RFC 8305). */
const NEXT_ADDRESS_MS = 250;

/** If fewer descriptors than this are free, simultaneous lookups may have used all of them. */
const DESCRIPTORS_FOR_LOOKUPS = 32;

/**
 * Opens a connection. The caller owns it and closes it. If the host is a name, all of its addresses are
 * tried, and the first one that answers is used. Deno could try them itself (`autoSelectFamily`), but it waits for a
 * quarter of a second even after an address that refuses.
 *
 * @param signal If it is aborted, the connect is given up and counts as timed out.
 */
export function dial(
  address: Address,
  signal: AbortSignal,
  resolver: Resolver = addressesOf,
): Promise<Deno.TcpConn | DialFailure> {
  const { host, port } = address;
  return isIP(host) === 0 ? dialName(address, signal, resolver) : connect(host, port, signal);
}

async function dialName(
  { host, port }: Address,
  signal: AbortSignal,
  resolver: Resolver,
): Promise<Deno.TcpConn | DialFailure> {
  const addresses = await resolved(host, signal, resolver);
  if (addresses instanceof DialFailure) return addresses;
  if (addresses.length === 0) return new DialFailure("other", `${host} has no IP address`);
  return await dialFirst(addresses, port, signal);
}

/** Tries addresses until one answers. */
function dialFirst(
  addresses: readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<Deno.TcpConn | DialFailure> {
  const { promise, resolve } = Promise.withResolvers<Deno.TcpConn | DialFailure>();
  const others = new AbortController();
  const giveUp = AbortSignal.any([signal, others.signal]);
  const failures: (readonly [address: string, failure: DialFailure])[] = [];
  let tried = 0;
  let isOver = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const next = () => {
    clearTimeout(timer);
    const address = addresses[tried++];
    if (address === undefined) return;
    timer = setTimeout(next, NEXT_ADDRESS_MS);
    connect(address, port, giveUp).then((result) => {
      if (isOver) {
        if (!(result instanceof DialFailure)) result.close();
        return;
      }
      const hasFailed = result instanceof DialFailure;
      if (hasFailed) failures.push([address, result]);
      isOver = !hasFailed || signal.aborted || failures.length === addresses.length;
      if (!isOver) return next();
      clearTimeout(timer);
      resolve(hasFailed ? summary(failures) : result);
      others.abort();
    });
  };
  next();
  return promise;
}

/**
 * One failure for all addresses. It is a shortage if any of the failures was one, because the connect that lacked the
 * resource may have been to the right address.
 */
function summary(
  failures: readonly (readonly [address: string, failure: DialFailure])[],
): DialFailure {
  const [, last] = failures.find(([, { shortage }]) => shortage !== undefined) ?? failures.at(-1)!;
  if (failures.length === 1) return last;
  const each = failures.map(([address, { reason, detail }]) =>
    `${address} ${detail === undefined ? reason : `${reason}: ${detail}`}`
  );
  return new DialFailure(last.reason, each.join(", "), last.shortage);
}

function connect(
  hostname: string,
  port: number,
  signal: AbortSignal,
): Promise<Deno.TcpConn | DialFailure> {
  return Deno.connect({ hostname, port, signal, autoSelectFamily: false })
    .catch((error: Error) =>
      signal.aborted ? new DialFailure("timeout") : connectFailure(error, hostname)
    );
}

async function resolved(
  name: string,
  signal: AbortSignal,
  resolver: Resolver,
): Promise<readonly string[] | DialFailure> {
  const givenUp = Promise.withResolvers<DialFailure>();
  const giveUp = () =>
    givenUp.resolve(new DialFailure("timeout", `the lookup of ${name} did not end in time`));
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp);
  try {
    return await Promise.race([resolver(name), givenUp.promise]);
  } catch (error) {
    return lookupFailure(error as Error, name);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

async function addressesOf(name: string): Promise<readonly string[]> {
  const found = await lookup(name, { all: true, order: "verbatim" });
  return found.map(({ address }) => address);
}

function connectFailure(error: Error, ip: string): DialFailure {
  if (systemCode(error) === "EADDRNOTAVAIL" && !hasAddressFor(ip)) {
    return new DialFailure("unreachable", "this machine has no IPv6 address to connect from");
  }
  const shortage = localShortage(error);
  if (shortage !== undefined) return new DialFailure("other", systemReason(error), shortage);
  if (error instanceof Deno.errors.ConnectionRefused) return new DialFailure("refused");
  if (error instanceof Deno.errors.TimedOut) return new DialFailure("timeout");
  const isUnreachable = error instanceof Deno.errors.NetworkUnreachable ||
    /unreachable|no route to host/i.test(error.message);
  return isUnreachable
    ? new DialFailure("unreachable")
    : new DialFailure("other", systemReason(error));
}

/** Whether this machine can reach this address: always if it is IPv4; if it is IPv6, only with an own IPv6 address. */
function hasAddressFor(ip: string): boolean {
  try {
    const own = localAddresses();
    return !isIPv6(ip) || (ip === "::1" ? own.includes(ip) : own.some((one) => isIPv6(one)));
  } catch {
    return true; // There is no permission to read the addresses.
  }
}

/** A lookup opens files and sockets: without descriptors, every name seems to be unknown. */
function lookupFailure(error: Error, name: string): DialFailure {
  const left = descriptorsLeft(DESCRIPTORS_FOR_LOOKUPS) ?? DESCRIPTORS_FOR_LOOKUPS;
  const isShort = left < DESCRIPTORS_FOR_LOOKUPS;
  const shortage = localShortage(error) ?? (isShort ? "descriptors" : undefined);
  const why = systemCode(error) === "ENOTFOUND" ? "the name is unknown" : systemReason(error);
  return new DialFailure("other", `lookup of ${name} failed: ${why}`, shortage);
}
