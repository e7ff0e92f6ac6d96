import { formatIp, formatIpv6, maskIp, parseIp } from "../../base/mod.ts";

/**
 * The key of a client, if all addresses with the same prefix count as one client: `clientKey("192.168.1.77", 24, 64)`
 * is `192.168.1.0/24`. With a full prefix length, the key is the address itself in its canonical form. An IPv4 address
 * in IPv6 form (`::ffff:192.168.1.77`) counts as this IPv4 address.
 *
 * A text that is not an IP address (a client's name in a simulation) is returned unchanged.
 */
export function clientKey(address: string, ipv4Prefix: number, ipv6Prefix: number): string {
  const mayBeIpv6 = address.includes(":");
  if (!mayBeIpv6 && ipv4Prefix === 32) return address;
  const groups = parseIp(address);
  if (groups === undefined) return address;
  const canonical = mayBeIpv6 ? formatIp(groups) : address;
  if (!canonical.includes(":")) {
    if (ipv4Prefix === 32) return canonical;
    return `${formatIp(maskIp(groups, 96 + ipv4Prefix))}/${ipv4Prefix}`;
  }
  return ipv6Prefix === 128 ? canonical : `${formatIpv6(maskIp(groups, ipv6Prefix))}/${ipv6Prefix}`;
}
