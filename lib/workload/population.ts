import { childSeed, createRandom } from "../base/mod.ts";
import type { Clients } from "../scenario/types.ts";
import { createZipf, type Sampler } from "../stats/mod.ts";

/** The clients' addresses, and the order in which clients connect. */
export class Population {
  readonly #count: number;
  readonly #choice: Sampler | undefined;
  readonly #addresses: string[];

  /** @param addresses The addresses of all clients, if they are known. */
  constructor(clients: Clients, seed: number, addresses: readonly string[] = []) {
    const count = addresses.length === 0 ? clients.count : addresses.length;
    this.#addresses = [...addresses];
    this.#count = count;
    this.#choice = count === 1
      ? undefined
      : createZipf(count, clients.zipf, createRandom(childSeed(seed, "clients")));
  }

  /** Index of the client that connects next. */
  next(): number {
    return this.#choice === undefined ? 0 : this.#choice.next();
  }

  /** Index of the client with a recorded number. */
  indexOf(number: number): number {
    return number % this.#count;
  }

  /** The address of a client. If it is not known, the first client has 10.0.0.1, the second 10.0.0.2, and so on. */
  address(index: number): string {
    return this.#addresses[index] ??= addressOf(index + 1);
  }
}

function addressOf(host: number): string {
  return `10.${(host >> 16) & 255}.${(host >> 8) & 255}.${host & 255}`;
}
