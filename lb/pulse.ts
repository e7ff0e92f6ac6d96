/** Wakes whoever waits for the next time that something happens. Costs nothing while nobody does. */
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
