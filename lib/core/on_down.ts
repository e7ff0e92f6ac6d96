import type { Backend } from "./backend/mod.ts";
import type { EventStream } from "./events/mod.ts";
import type { Scheduler } from "./scheduler.ts";

/** What a driver does with the open connections of a backend that is marked as down (`on_down`). */
export type OnDown = "keep" | "close";

/**
 * Makes a driver close the open connections of a backend when it is marked as down, if `on_down` is `close`.
 *
 * @param scheduler Returns the present scheduler: a restarted balancer has another one.
 * @param onDown Returns the present setting: a reload may change it.
 * @param close Closes the connections of this backend, and not those of a removed backend with the same id.
 * @returns A function that ends the subscription to the events.
 */
export function closeOnDown(
  events: EventStream,
  scheduler: () => Scheduler,
  onDown: () => OnDown | undefined,
  close: (backend: Backend) => void,
): () => void {
  return events.subscribe("on_down", ["backend_down"], ({ backend: id }) => {
    const backend = onDown() === "close" ? scheduler().backend(id) : undefined;
    if (backend !== undefined) close(backend);
  });
}
