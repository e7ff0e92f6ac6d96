import { formatIp, formatIpv6, type IpGroups, maskIp, parseIp } from "../base/mod.ts";
import { isData } from "../config/mod.ts";
import type { StreamEvent } from "../core/mod.ts";

/** A keyed hash of 32 bytes, like HMAC-SHA-256. */
export type KeyedHash = (bytes: Uint8Array) => Uint8Array;

/** The largest number of addresses that are remembered. */
const REMEMBERED_MAX = 65_536;
const IPV4_FROM = 12;

/**
 * Pseudonyms of addresses. The same address always has the same pseudonym, and different addresses have different
 * ones. If two addresses share their first bits, their pseudonyms share the same number of bits. So addresses that
 * count as one client because of their prefix still do so. The pseudonym of an IPv4 address is an IPv4 address.
 *
 * Whether a bit is inverted depends on all bits before it. One keyed hash, of the bytes before a byte, is used for the
 * eight bits of this byte.
 *
 * Source: Xu, Fan, Ammar and Moon, Prefix-preserving IP address anonymization, ICNP 2002, with another hash.
 */
export class Pseudonyms {
  readonly #hash: KeyedHash;
  readonly #known = new Map<string, string>();

  constructor(hash: KeyedHash) {
    this.#hash = hash;
  }

  /** The pseudonym of an address or prefix. Any other text is returned unchanged. */
  of(text: string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const made = this.#make(text);
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    this.#known.set(text, made);
    return made;
  }

  #make(text: string): string {
    const [address = "", length] = text.split("/");
    const groups = parseIp(address);
    if (groups === undefined) return text;
    const isIpv4 = !address.includes(":");
    const changed = this.#changed(groups, isIpv4 ? IPV4_FROM : 0);
    if (length === undefined) return isIpv4 ? formatIp(changed) : formatIpv6(changed);
    const masked = maskIp(changed, Number(length) + (isIpv4 ? 96 : 0));
    return `${isIpv4 ? formatIp(masked) : formatIpv6(masked)}/${length}`;
  }

  #changed(groups: IpGroups, from: number): IpGroups {
    const bytes = Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
    const result = bytes.slice();
    for (let i = from; i < bytes.length; i++) {
      const hash = this.#hash(bytes.slice(0, i));
      // Each of the 255 inner nodes of a binary tree has a bit of the hash. The bits of the byte lead through the tree:
      // the node before a bit tells whether this bit is inverted.
      let node = 1;
      for (let bit = 7; bit >= 0; bit--) {
        const flip = hash[node >> 3]! >> (node & 7) & 1;
        result[i]! ^= flip << bit;
        node = 2 * node + (bytes[i]! >> bit & 1);
      }
    }
    return Array.from({ length: 8 }, (_, i) => result[2 * i]! << 8 | result[2 * i + 1]!);
  }

  /** The event without addresses of clients, and without texts that may contain one. */
  event(event: StreamEvent): StreamEvent {
    const { detail: _, changes: __, ignored: ___, wishes: ____, ...rest } = event as
      & StreamEvent
      & Readonly<Record<"detail" | "changes" | "ignored" | "wishes", unknown>>;
    const written: Record<string, unknown> = { ...rest };
    if (typeof written.client === "string") written.client = this.of(written.client);
    if (isData(written.configuration)) {
      written.configuration = this.#configuration(written.configuration);
    }
    return written as unknown as StreamEvent;
  }

  /** The configuration, with pseudonyms in its lists of clients. */
  #configuration(configuration: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const list = (value: unknown) =>
      Array.isArray(value) ? value.map((one) => this.of(String(one))) : value;
    const { allow, deny, proxy_protocol: proxy } = configuration;
    return {
      ...configuration,
      ...allow !== undefined && { allow: list(allow) },
      ...deny !== undefined && { deny: list(deny) },
      ...isData(proxy) && proxy.accept_from !== undefined && {
        proxy_protocol: { ...proxy, accept_from: list(proxy.accept_from) },
      },
    };
  }
}
