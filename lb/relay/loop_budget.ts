import { EventLoopGate } from "../../lib/io/mod.ts";

/** Work that can be continued after the event loop has polled. */
export interface Resumable {
  resume(): void;
}

/**
 * The number of bytes that all relays together may carry before the event loop polls again. Reads and writes
 * of a fast stream are always ready, so the loop would see no other connection in between. A budget for each
 * connection would make the time between two polls grow with their number.
 */
export class LoopBudget {
  readonly #bytesPerTurn: number;
  #left: number;
  #waiting: Resumable[] = [];
  #gate: EventLoopGate | undefined;
  #opening: Promise<void> | undefined;
  #resting = true;

  /**
   * @param bytesPerTurn This many bytes take a few milliseconds. With fewer bytes, throughput would be lower; with
   *   more, latency would be higher.
   */
  constructor(bytesPerTurn = 4 * 1024 * 1024) {
    this.#bytesPerTurn = bytesPerTurn;
    this.#left = bytesPerTurn;
  }

  /** Whether fast streams have recently used up the budget, so that the event loop polls for them. */
  get isInUse(): boolean {
    return !this.#resting;
  }

  /** Counts bytes that were carried. Returns whether more may be carried before the loop polls. */
  spend(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left > 0;
  }

  /** Resumes this work, with all other waiting work, when the loop has polled. */
  wait(work: Resumable): void {
    if (this.#waiting.push(work) === 1) void this.#turn();
  }

  /** Frees its resources until there is work again. */
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
