/** The addresses of clients: the local addresses of connections, and those that PROXY headers state. */
import { formatIp, type IpGroups, maskIp, type Prefix } from "../../lib/base/mod.ts";

/**
 * The addresses of a prefix, by number. The first and the last address of an IPv4 prefix are left out if there are
 * others, because they stand for the network and for all of its machines.
 */
export class Sources {
  readonly #first: IpGroups;
  /** How many addresses there are. */
  readonly count: number;

  constructor({ groups, bits }: Prefix) {
    const hostBits = Math.min(128 - bits, 31);
    const leaveOut = hostBits > 1 ? 1 : 0;
    this.#first = added(maskIp(groups, bits), leaveOut);
    this.count = 2 ** hostBits - 2 * leaveOut;
  }

  /** The address with a number. After the last address, the first follows again. */
  address(number: number): string {
    return formatIp(added(this.#first, number % this.count));
  }
}

function added(groups: IpGroups, number: number): IpGroups {
  const sum = [...groups];
  let carry = number;
  for (let i = sum.length - 1; i >= 0 && carry > 0; i--) {
    carry += sum[i]!;
    sum[i] = carry & 0xffff;
    carry = Math.floor(carry / 0x10000);
  }
  return sum;
}
