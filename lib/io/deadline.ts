import { timerDelay } from "./clock.ts";
import type { Nanoseconds } from "../base/mod.ts";

/** A signal that is aborted at a deadline, or earlier when another signal is aborted. Dispose of it after use. */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #earlier: AbortSignal | undefined;
  readonly #expire = () => this.#controller.abort();

  constructor(duration: Nanoseconds, earlier?: AbortSignal) {
    this.#timer = setTimeout(this.#expire, timerDelay(duration));
    this.#earlier = earlier;
    if (earlier?.aborted) this.#expire();
    earlier?.addEventListener("abort", this.#expire);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#earlier?.removeEventListener("abort", this.#expire);
  }
}
