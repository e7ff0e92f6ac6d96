import { formatIpv6, parseIp } from "./prefix.ts";

/**
 * The client that an address stands for, when clients that share a prefix count as one:
 * `clientKey("192.168.1.77", 24, 64)` is `192.168.1.0/24`. A whole address stands for itself, in its one
 * canonical spelling, and an IPv4 address that arrives mapped into IPv6 (`::ffff:192.168.1.77`) is that
 * IPv4 address.
 *
 * What is not an IP address (a name that a simulation gave a client) is returned as it is.
 */
export function clientKey(address: string, ipv4Prefix: number, ipv6Prefix: number): string {
  if (!address.includes(":")) return ipv4Prefix === 32 ? address : ipv4Key(address, ipv4Prefix);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return clientKey(mapped, ipv4Prefix, ipv6Prefix);
  return ipv6Key(address, ipv6Prefix);
}

function ipv4Key(address: string, prefix: number): string {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) return address;
  const octets = address.split(".").map(Number);
  if (octets.some((octet) => octet > 255)) return address;
  return `${masked(octets, 8, prefix).join(".")}/${prefix}`;
}

function ipv6Key(address: string, prefix: number): string {
  const all = parseIp(address);
  if (all === undefined) return address;
  if (prefix === 128) return formatIpv6(all);
  return `${formatIpv6(masked(all, 16, prefix))}/${prefix}`;
}

/** Clears all but the leading `prefix` bits of a number given in parts of `width` bits. */
function masked(parts: readonly number[], width: number, prefix: number): number[] {
  return parts.map((part, index) => {
    const kept = Math.min(Math.max(prefix - index * width, 0), width);
    return part & ~((1 << (width - kept)) - 1);
  });
}
