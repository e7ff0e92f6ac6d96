import { EventLoopGate } from "../../lib/io/mod.ts";

/** Work that can be continued after the event loop has polled. */
export interface Resumable {
  resume(): void;
}

/**
 * What all relays together may carry before the event loop polls again. Reads and writes of a fast stream
 * are always ready, so they would go on without the loop seeing any other connection. With a budget for
 * each connection, the time between two polls would grow with their number.
 */
export class LoopBudget {
  readonly #bytesPerTurn: number;
  #left: number;
  #waiting: Resumable[] = [];
  #gate: EventLoopGate | undefined;
  #opening: Promise<void> | undefined;
  #resting = true;

  /** @param bytesPerTurn A few milliseconds' worth: less would cost throughput, more would cost latency. */
  constructor(bytesPerTurn = 4 * 1024 * 1024) {
    this.#bytesPerTurn = bytesPerTurn;
    this.#left = bytesPerTurn;
  }

  /** Counts bytes that were carried, and says whether more may be before the loop polls. */
  spend(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left > 0;
  }

  /** Continues this work, with all that waits, when the loop has polled. */
  wait(work: Resumable): void {
    if (this.#waiting.push(work) === 1) void this.#turn();
  }

  /** Gives up what it holds, until there is work again. */
  rest(): void {
    this.#resting = true;
    this.#gate?.close();
    this.#gate = undefined;
  }

  async #turn(): Promise<void> {
    this.#resting = false;
    if (this.#gate === undefined) {
      this.#opening ??= this.#open();
      await new Promise((resolve) => setTimeout(resolve, 0));
    } else await this.#gate.turn();
    this.#left = this.#bytesPerTurn;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const work of waiting) work.resume();
  }

  async #open(): Promise<void> {
    this.#gate = await EventLoopGate.open();
    this.#opening = undefined;
    if (this.#resting) this.rest();
  }
}
