/** A live balancer for tests, and all that it says. */
import assert from "node:assert/strict";
import type { Address } from "../../lib/base/address.ts";
import { type Clock, monotonicNow } from "../../lib/io/clock.ts";
import type { Certificates } from "../../lib/files/certificates.ts";
import type { Config } from "../../lib/config/mod.ts";
import { EVENT_TYPES, EventBalance, type LbEvent } from "../../lib/core/mod.ts";
import { NS_PER_S } from "../../lib/base/mod.ts";
import { Balancer } from "../../lb/balancer.ts";
import { configOf } from "./config.ts";
import { strictEventStream } from "./events.ts";

/** Longer than anything takes here. */
export const TIMEOUTS = { connect: 2 * NS_PER_S, idle: 60 * NS_PER_S, drain: 5 * NS_PER_S };

/** Nobody is probed: every backend counts as up, whatever it is. */
export const UNPROBED = { healthCheck: { ...configOf([]).healthCheck, type: "none" as const } };

/** A balancer over these backends, and all that it says. */
export async function balance(
  addresses: readonly Address[],
  overrides: Partial<Config> = {},
  certificates?: Certificates,
  now: Clock = monotonicNow,
) {
  const events = strictEventStream();
  const emitted: LbEvent[] = [];
  const books = new EventBalance(events);
  events.subscribe("test", EVENT_TYPES, (event) => emitted.push(event));
  const config = configOf(addresses, { timeouts: TIMEOUTS, ...overrides });
  const options = { events, now, seed: 1, certificates };
  const balancer = await Balancer.start(config, options);
  const of = <Type extends LbEvent["type"]>(type: Type) =>
    emitted.filter((event) => event.type === type) as Extract<LbEvent, { type: Type }>[];
  return {
    balancer,
    config,
    emitted,
    of,
    [Symbol.asyncDispose]: async () => {
      await balancer.stop();
      assert.equal(books.present, 0, "each connection that arrived has ended");
    },
  };
}
