/** Lets any number of waiters wait for the next time that something happens. Costs nothing while none waits. */
export class Notifier {
  #next: PromiseWithResolvers<void> | undefined;

  /** Resolves at the next `notify()`. */
  get next(): Promise<void> {
    this.#next ??= Promise.withResolvers();
    return this.#next.promise;
  }

  /** Wakes all that wait. */
  notify(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}
