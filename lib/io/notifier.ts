/** Lets callers wait for the next occurrence of something. It costs nothing while no caller waits. */
export class Notifier {
  #next: PromiseWithResolvers<void> | undefined;

  /** Resolves at the next `notify()`. */
  get next(): Promise<void> {
    this.#next ??= Promise.withResolvers();
    return this.#next.promise;
  }

  /** Wakes all waiting callers. */
  notify(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}
