import { childSeed, createRandom, type Nanoseconds, type Random } from "../../lib/base/mod.ts";
import { createSampler, type Distribution, type Sampler } from "../../lib/stats/mod.ts";
import type { NetworkSettings } from "../../lib/scenario/types.ts";

/** A kind of link, with the one-way latency of its messages. */
export class Link {
  /** Whether messages take no time. */
  instant: boolean;
  readonly #random: Random;
  #latency: Sampler;

  /** Whether messages may take no time at all. If not, each has an event of its own. */
  readonly #mayBeInstant: boolean;

  /** @param mayBeInstant Whether messages may take no time at all, without an event of their own. */
  constructor(latency: Distribution, seed: number, mayBeInstant: boolean) {
    this.#mayBeInstant = mayBeInstant;
    this.instant = mayBeInstant && isInstant(latency);
    this.#random = createRandom(seed);
    this.#latency = createSampler(latency, this.#random);
  }

  /** Changes the latency of the messages that are sent from now on. */
  change(latency: Distribution): void {
    this.instant = this.#mayBeInstant && isInstant(latency);
    this.#latency = createSampler(latency, this.#random);
  }

  /** Draws how long the next message takes. */
  delay(): Nanoseconds {
    return this.instant ? 0 : Math.round(this.#latency.next());
  }
}

function isInstant(latency: Distribution): boolean {
  return latency.kind === "deterministic" && latency.value === 0;
}

/** The simulated network: its links. */
export interface Network {
  /** Between a client and a balancer. */
  readonly client: Link;
  /** Between a balancer and a backend. */
  readonly backend: Link;
}

/**
 * Creates the network of a scenario.
 *
 * @param instant Whether messages may take no time at all. If not, each has an event of its own.
 */
export function createNetwork(settings: NetworkSettings, seed: number, instant = true): Network {
  return {
    client: new Link(settings.clientLatency, childSeed(seed, "latency", "client"), instant),
    backend: new Link(settings.backendLatency, childSeed(seed, "latency", "backend"), instant),
  };
}
