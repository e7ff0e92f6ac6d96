/** Addresses on loopback where nothing listens. */
import type { Address } from "../../lib/base/address.ts";

/**
 * A port on loopback that is free, and stays so: no system gives a port of this range to a socket that asks for
 * any, as it does with one that was free a moment ago.
 */
export function freePort(): number {
  for (;;) {
    const [draw] = crypto.getRandomValues(new Uint16Array(1));
    const port = 20_000 + draw! % 12_000;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** An address on loopback where nothing listens. */
export function deadAddress(): Address {
  return { host: "127.0.0.1", port: freePort() };
}
