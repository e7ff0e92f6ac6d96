/** Wakes all that wait for the next occurrence of something. Costs nothing while nothing waits. */
export class Pulse {
  #next: PromiseWithResolvers<void> | undefined;

  /** Resolves at the next beat. */
  get next(): Promise<void> {
    this.#next ??= Promise.withResolvers();
    return this.#next.promise;
  }

  beat(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}
