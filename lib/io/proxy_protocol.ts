/**
 * The PROXY protocol: a proxy states the original addresses of a connection to the next server. Version 1 is
 * a line of text, version 2 is binary. Pure: from bytes to a header and back.
 *
 * Source: W. Tarreau, "The PROXY protocol, versions 1 & 2", HAProxy Technologies.
 */
import {
  type Address,
  canonicalIp,
  formatIp,
  formatIpv6,
  type IpGroups,
  parseIp,
} from "../base/mod.ts";

/** The original source and destination of a connection. */
export interface Endpoints {
  readonly source: Address;
  readonly destination: Address;
}

/** The result of reading the first bytes of a connection. */
export type ProxyHeader =
  /** The bytes may be the beginning of a header: more are needed. */
  | { readonly status: "incomplete" }
  | { readonly status: "invalid"; readonly reason: string }
  /**
   * A header of this many bytes. Without endpoints, the addresses of the connection itself apply, for example if the
   * proxy only probes.
   */
  | { readonly status: "complete"; readonly length: number; readonly endpoints?: Endpoints };

/** The versions that can be sent. */
export type ProxyVersion = "v1" | "v2";

/** A longer header is refused: the addresses take at most 232 bytes, and the rest would be extensions. */
export const PROXY_HEADER_MAX = 2048;

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
/** Length of a version 2 header before the addresses. */
const V2_FIXED = 16;
/** Longest version 1 header, with the end of the line. */
const V1_MAX = 107;
const V1_BEGINS = "PROXY ";
/** The groups of an IPv6 address before an embedded IPv4 address. */
const IPV4_BEGINS: IpGroups = [0, 0, 0, 0, 0, 0xffff];

/** Reads a header. It never throws, whatever the bytes are. */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeader {
  if (bytes.length === 0) return { status: "incomplete" };
  return bytes[0] === SIGNATURE[0] ? parseV2(bytes) : parseV1(bytes);
}

function invalid(reason: string): ProxyHeader {
  return { status: "invalid", reason };
}

function parseV1(bytes: Uint8Array): ProxyHeader {
  const text = String.fromCharCode(...bytes.subarray(0, V1_MAX));
  const begun = text.slice(0, V1_BEGINS.length);
  if (!V1_BEGINS.startsWith(begun)) return invalid("it does not begin with a PROXY header");
  const end = text.indexOf("\r\n");
  if (end < 0) {
    return text.length < V1_MAX ? { status: "incomplete" } : invalid("its line does not end");
  }
  const length = end + 2;
  const [, family, ...rest] = text.slice(0, end).split(" ");
  if (family === "UNKNOWN") return { status: "complete", length };
  if (family !== "TCP4" && family !== "TCP6") {
    return invalid("its family is not TCP4, TCP6 or UNKNOWN");
  }
  const [from = "", to = "", fromPort = "", toPort = "", ...more] = rest;
  if (more.length > 0) return invalid("its line has too many fields");
  const isOfFamily = (host: string) =>
    parseIp(host) !== undefined && host.includes(":") === (family === "TCP6") &&
    !host.includes("%");
  if (!isOfFamily(from) || !isOfFamily(to)) return invalid(`its addresses are not ${family}`);
  const source = { host: canonicalIp(from), port: portOf(fromPort) };
  const destination = { host: canonicalIp(to), port: portOf(toPort) };
  if (Number.isNaN(source.port + destination.port)) return invalid("its ports are not valid");
  return { status: "complete", length, endpoints: { source, destination } };
}

function portOf(text: string): number {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65535 ? Number(text) : NaN;
}

function parseV2(bytes: Uint8Array): ProxyHeader {
  for (let i = 0; i < Math.min(SIGNATURE.length, bytes.length); i++) {
    if (bytes[i] !== SIGNATURE[i]) return invalid("it does not begin with a PROXY header");
  }
  if (bytes.length < V2_FIXED) return { status: "incomplete" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [version, command] = [bytes[12]! >> 4, bytes[12]! & 15];
  if (version !== 2) return invalid(`its version is ${version}`);
  if (command > 1) return invalid(`its command is ${command}`);
  const length = V2_FIXED + view.getUint16(14);
  if (length > PROXY_HEADER_MAX) return invalid(`it is ${length} bytes long`);
  if (bytes.length < length) return { status: "incomplete" };
  const family = bytes[13]!;
  const size = family === 0x11 ? 4 : family === 0x21 ? 16 : undefined;
  // LOCAL, and families other than TCP over IP: the addresses of the connection itself apply.
  if (command === 0 || size === undefined) return { status: "complete", length };
  if (length < V2_FIXED + 2 * size + 4) return invalid("its addresses are cut off");
  const ports = V2_FIXED + 2 * size;
  return {
    status: "complete",
    length,
    endpoints: {
      source: { host: hostAt(view, V2_FIXED, size), port: view.getUint16(ports) },
      destination: { host: hostAt(view, V2_FIXED + size, size), port: view.getUint16(ports + 2) },
    },
  };
}

function hostAt(view: DataView, offset: number, size: number): string {
  const groups = Array.from({ length: size / 2 }, (_, i) => view.getUint16(offset + 2 * i));
  return formatIp(size === 4 ? [...IPV4_BEGINS, ...groups] : groups);
}

/**
 * A header with the original addresses of a connection; without endpoints, for a connection of the proxy itself. A
 * header has one family: if one side is IPv4 and the other IPv6, the IPv4 address is written as IPv6.
 */
export function encodeProxyHeader(version: ProxyVersion, endpoints?: Endpoints): Uint8Array {
  return version === "v1" ? encodeV1(endpoints) : encodeV2(endpoints);
}

function encodeV1(endpoints: Endpoints | undefined): Uint8Array {
  const line = (words: string) => new TextEncoder().encode(`PROXY ${words}\r\n`);
  if (endpoints === undefined) return line("UNKNOWN");
  const { source, destination } = endpoints;
  const isV4 = bothAreV4(endpoints);
  const [from, to] = [source, destination].map(({ host }) =>
    isV4 ? host : formatIpv6(parseIp(host)!)
  );
  return line(`TCP${isV4 ? 4 : 6} ${from} ${to} ${source.port} ${destination.port}`);
}

function encodeV2(endpoints: Endpoints | undefined): Uint8Array {
  const isV4 = endpoints !== undefined && bothAreV4(endpoints);
  const size = endpoints === undefined ? 0 : isV4 ? 4 : 16;
  const length = endpoints === undefined ? 0 : 2 * size + 4;
  const bytes = new Uint8Array(V2_FIXED + length);
  bytes.set(SIGNATURE);
  const view = new DataView(bytes.buffer);
  view.setUint8(12, endpoints === undefined ? 0x20 : 0x21);
  view.setUint8(13, endpoints === undefined ? 0 : isV4 ? 0x11 : 0x21);
  view.setUint16(14, length);
  if (endpoints === undefined) return bytes;
  const { source, destination } = endpoints;
  [source, destination].forEach(({ host, port }, side) => {
    const groups = parseIp(host)!.slice(isV4 ? 6 : 0);
    groups.forEach((group, i) => view.setUint16(V2_FIXED + side * size + 2 * i, group));
    view.setUint16(V2_FIXED + 2 * size + 2 * side, port);
  });
  return bytes;
}

function bothAreV4({ source, destination }: Endpoints): boolean {
  return !source.host.includes(":") && !destination.host.includes(":");
}
