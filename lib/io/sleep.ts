import { timerDelay } from "./clock.ts";
import type { Nanoseconds } from "../base/mod.ts";

/** Resolves after a time, or as soon as the signal is aborted. */
export function sleep(duration: Nanoseconds, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const wake = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, timerDelay(duration));
    signal?.addEventListener("abort", wake);
  });
}
