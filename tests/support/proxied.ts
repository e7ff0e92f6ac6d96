/** Clients of any address, by the PROXY protocol: on loopback they all have one. */
import type { Address } from "../../lib/base/address.ts";
import type { Config } from "../../lib/config/mod.ts";
import { NS_PER_S } from "../../lib/base/mod.ts";
import { ask } from "./sockets.ts";

/** Has a balancer believe what `askAs` says. */
export const TRUSTING: Pick<Config, "proxyProtocol"> = {
  proxyProtocol: {
    acceptFrom: [{ groups: [0, 0, 0, 0, 0, 0xffff, 0x7f00, 0], bits: 104 }],
    timeout: 5 * NS_PER_S,
    send: "off",
  },
};

/** What a client with this address gets from a balancer: everything until the end. */
export function askAs(client: string, balancer: Address): Promise<string> {
  return ask(balancer, `PROXY TCP4 ${client} 192.168.1.10 5000 8000\r\n`);
}
