import type { Address } from "../../lib/base/address.ts";
import { type Config, parseConfig } from "../../lib/config/mod.ts";

/** A configuration for tests: backends B1 … at these addresses, a balancer on any port of loopback. */
export function configOf(
  backends: readonly Address[],
  overrides: Partial<Config> = {},
): Config {
  const base = parseConfig({
    file: "test",
    text: "listen: 127.0.0.1:0\nadmin: {listen: off}\nbackends: [{id: B1, address: 127.0.0.1:1}]\n",
  });
  return {
    ...base,
    backends: backends.map((address, i) => ({
      id: `B${i + 1}`,
      address,
      weight: 1,
      backup: false,
      mode: "ready",
    })),
    ...overrides,
  };
}

/** Each address sticks for ten minutes, and returns. */
export const STICKY = {
  by: "client-address",
  ipv4Prefix: 32,
  ipv6Prefix: 128,
  ttl: 600e9,
  maxEntries: 1000,
  onFailback: "return",
  drain: "move",
  store: "memory",
} as const satisfies Config["sticky"];
