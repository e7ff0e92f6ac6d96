/** The eight 16-bit groups of an IP address; an IPv4 address has its IPv6 form (`::ffff:0:0/96`). */
export type IpGroups = readonly number[];

/** Reads an IPv4 or IPv6 address; undefined if the text is not an address. A zone (`%eth0`) is left out. */
export function parseIp(text: string): IpGroups | undefined {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return [0, 0, 0, 0, 0, 0xffff, ...v4];
  const [address = ""] = text.split("%");
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (dotted !== null) {
    const tail = parseIpv4(dotted[2]!);
    if (tail === undefined) return undefined;
    return parseIp(dotted[1]! + tail.map((group) => group.toString(16)).join(":"));
  }
  const [head = "", tail, ...more] = address.split("::");
  const front = groupsOf(head);
  const back = tail === undefined ? [] : groupsOf(tail);
  if (front === undefined || back === undefined || more.length > 0) return undefined;
  const missing = 8 - front.length - back.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  return [...front, ...Array<number>(missing).fill(0), ...back];
}

/** Whether the groups of an address are those of an IPv4 address. */
function isIpv4(groups: IpGroups): boolean {
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
}

/** Writes an address in its canonical form. An IPv4 address has dots, also if it was in IPv6 form. */
export function formatIp(groups: IpGroups): string {
  return isIpv4(groups) ? dotted(groups) : formatIpv6(groups);
}

/**
 * Writes an IPv6 address as RFC 5952 does: the longest run of zeros is left out (the first one, if several are
 * equal), and an IPv4 address in it has its dots.
 */
export function formatIpv6(groups: IpGroups): string {
  if (isIpv4(groups)) return `::ffff:${dotted(groups)}`;
  let start = 0;
  let longest = 1;
  for (let i = 0, run = 0; i < groups.length; i++) {
    run = groups[i] === 0 ? run + 1 : 0;
    if (run > longest) {
      longest = run;
      start = i - run + 1;
    }
  }
  const written = groups.map((group) => group.toString(16));
  if (longest === 1) return written.join(":");
  return `${written.slice(0, start).join(":")}::${written.slice(start + longest).join(":")}`;
}

function dotted(groups: IpGroups): string {
  return groups.slice(6).flatMap((group) => [group >> 8, group & 255]).join(".");
}

/**
 * The canonical form of an IP address: `::ffff:10.0.0.1` becomes `10.0.0.1`, and `0:0::1` becomes `::1`. A zone is
 * left out, because it belongs to an interface of this machine, not to the address. Text that is not an address is
 * returned unchanged.
 */
export function canonicalIp(text: string): string {
  if (!text.includes(":")) return text;
  const groups = parseIp(text);
  return groups === undefined ? text : formatIp(groups);
}

/** Leading zeros are not allowed: some programs read them as octal, and each client must have only one form. */
function parseIpv4(text: string): [number, number] | undefined {
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return undefined;
  const [a, b, c, d] = text.split(".").map(Number) as [number, number, number, number];
  if (Math.max(a, b, c, d) > 255) return undefined;
  return [a * 256 + b, c * 256 + d];
}

function groupsOf(text: string): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  if (!parts.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return undefined;
  return parts.map((part) => parseInt(part, 16));
}

/** Clears all but the leading bits of an address. */
export function maskIp(groups: IpGroups, bits: number): IpGroups {
  return groups.map((group, i) => {
    const kept = Math.min(Math.max(bits - i * 16, 0), 16);
    return group & ~((1 << (16 - kept)) - 1);
  });
}

/** Addresses that share their leading bits. */
export interface Prefix {
  /** The leading bits that the addresses share; all other bits are 0. */
  readonly groups: IpGroups;
  /** The number of shared bits, of 128. An IPv4 prefix has at least 96. */
  readonly bits: number;
}

/**
 * Reads `192.168.1.0/24`, `2001:db8::/32`, or a single address.
 *
 * @throws {SyntaxError} that says what is wrong.
 */
export function parsePrefix(text: string): Prefix {
  const [address = "", length, ...more] = text.split("/");
  const groups = parseIp(address);
  if (groups === undefined || more.length > 0) {
    throw new SyntaxError(
      `"${text}" is neither an address nor a prefix: write it like 192.168.1.0/24`,
    );
  }
  const most = address.includes(":") ? 128 : 32;
  const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : NaN;
  if (!(bits <= most)) {
    throw new SyntaxError(
      `"${text}": after the / must be the length of the prefix, 0 to ${most} bits`,
    );
  }
  const counted = bits + 128 - most;
  return { groups: maskIp(groups, counted), bits: counted };
}

/** Whether one of the prefixes contains the address; false for a text that is not an address. */
export function isInAny(prefixes: readonly Prefix[], address: IpGroups | undefined): boolean {
  return address !== undefined && prefixes.some((prefix) => isIn(prefix, address));
}

/** Whether a prefix contains an address. */
export function isIn({ groups, bits }: Prefix, address: IpGroups): boolean {
  for (let i = 0; i * 16 < bits; i++) {
    const unused = Math.max(0, (i + 1) * 16 - bits);
    if ((groups[i]! ^ address[i]!) >>> unused !== 0) return false;
  }
  return true;
}

const IPV4_IN_IPV6 = parsePrefix("::ffff:0:0/96");

/** Writes a prefix so that `parsePrefix` reads it. A single address is written without its length. */
export function formatPrefix({ groups, bits }: Prefix): string {
  const isIpv4 = bits >= 96 && isIn(IPV4_IN_IPV6, groups);
  const address = isIpv4 ? formatIp(groups) : formatIpv6(groups);
  if (bits === 128) return address;
  return `${address}/${isIpv4 ? bits - 96 : bits}`;
}
