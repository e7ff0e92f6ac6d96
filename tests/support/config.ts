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
