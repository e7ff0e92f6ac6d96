import { canonicalIp } from "../base/mod.ts";

/** The IP addresses of this machine. */
export function localAddresses(): string[] {
  return Deno.networkInterfaces().map(({ address }) => canonicalIp(address));
}
