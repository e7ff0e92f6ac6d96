import { canonicalIp, parseIp } from "./ip.ts";

/** An IP address or host name, with a port. */
export interface Address {
  /**
   * An IP address or a host name in its canonical form. An IPv6 address has no brackets, and a zone if it needs one.
   */
  readonly host: string;
  /** 0 to 65535; 0 lets the system choose when listening. */
  readonly port: number;
}

/**
 * Reads `192.168.1.10:8000`, `lab.local:8000` or `[::1]:8000`.
 *
 * @throws {SyntaxError} whose message says what would be right.
 */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:\s[\]]+)):(\d+)$/.exec(text);
  if (match === null) throw new SyntaxError(whatIsWrong(text));
  const [, bracketed, plain, digits] = match;
  const port = Number(digits);
  if (port > 65535) {
    throw new SyntaxError(`port ${digits} is out of range: a port is 1 to 65535`);
  }
  const host = bracketed ?? plain!;
  if (bracketed !== undefined && !isIpv6(bracketed)) {
    throw new SyntaxError(`"${bracketed}" is not an IPv6 address`);
  }
  if (/^[\d.]+$/.test(host) && parseIp(host) === undefined) {
    throw new SyntaxError(`"${host}" is not an IPv4 address: it has four numbers from 0 to 255`);
  }
  if (bracketed === undefined && !/^[\p{L}\p{N}_.-]+$/u.test(host)) {
    throw new SyntaxError(`"${host}" is neither an IP address nor a host name`);
  }
  return { host: canonicalHost(host), port };
}

/** The address of one side of a socket. */
export function addressOf(
  { hostname, port }: { readonly hostname: string; readonly port: number },
): Address {
  return { host: canonicalIp(hostname), port };
}

/**
 * The canonical form of a host. A zone stays, because it names the interface through which the address is reached.
 */
export function canonicalHost(host: string): string {
  const [address = "", ...zone] = host.split("%");
  const canonical = canonicalIp(address.toLowerCase());
  return canonical.includes(":") ? [canonical, ...zone].join("%") : canonical;
}

function isIpv6(text: string): boolean {
  return text.includes(":") && parseIp(text) !== undefined;
}

function whatIsWrong(text: string): string {
  if (isIpv6(text)) return `an IPv6 address goes in brackets, with a port: [${text}]:8000`;
  const port = /^(?:\*?:)?(\d{1,5})$/.exec(text)?.[1];
  if (Number(port) > 65535) return `port ${port} is out of range: a port is 1 to 65535`;
  if (port !== undefined) {
    return `the host is missing: write 127.0.0.1:${port} for this machine, or the address of another machine`;
  }
  const url = /^[a-z][a-z0-9+.-]*:\/\/([^/]+)/i.exec(text);
  if (url !== null) return `"${text}" is a URL: write only its host and port, like ${url[1]}`;
  if (/^-?[\d.]*$/.test(text) && parseIp(text) === undefined) {
    return `"${text}" is neither an address nor a port: write it like 192.168.1.10:8000`;
  }
  const bracketed = /^\[([^\]]+)\]$/.exec(text)?.[1];
  if (bracketed !== undefined && isIpv6(bracketed)) {
    return `the port is missing: write ${text}:8000`;
  }
  if (/^[^:\s]+$/.test(text)) return `the port is missing: write ${text}:8000`;
  return `"${text}" is not an address: write HOST:PORT, like 192.168.1.10:8000 or [::1]:8000`;
}

/** Writes an address so that `parseAddress` reads it. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether a listener on this host listens on every address of the machine. */
export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** Whether an address can only be reached from the machine itself. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" ||
    (host.startsWith("127.") && parseIp(host) !== undefined);
}

/** Whether a host is this machine, whose addresses are given. Every address in 127.0.0.0/8 is this machine. */
export function isLocal(host: string, local: readonly string[]): boolean {
  return isLoopback(host) || local.includes(canonicalIp(host));
}
