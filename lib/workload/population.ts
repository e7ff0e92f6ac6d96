import { childSeed, createRandom } from "../base/mod.ts";
import type { Clients } from "../scenario/types.ts";
import { createZipf, type Sampler } from "../stats/mod.ts";

/** The clients' addresses, and the order in which clients connect. */
export class Population {
  readonly #count: number;
  readonly #choice: Sampler | undefined;
  readonly #addresses: string[] = [];

  constructor(clients: Clients, seed: number) {
    this.#count = clients.count;
    this.#choice = clients.count === 1
      ? undefined
      : createZipf(clients.count, clients.zipf, createRandom(childSeed(seed, "clients")));
  }

  /** Index of the client that connects next. */
  next(): number {
    return this.#choice === undefined ? 0 : this.#choice.next();
  }

  /** Index of a client that has a number of its own. */
  indexOf(number: number): number {
    return number % this.#count;
  }

  /** The address of a client, from 10.0.0.1 on. */
  address(index: number): string {
    return this.#addresses[index] ??= addressOf(index + 1);
  }
}

function addressOf(host: number): string {
  return `10.${(host >> 16) & 255}.${(host >> 8) & 255}.${host & 255}`;
}
