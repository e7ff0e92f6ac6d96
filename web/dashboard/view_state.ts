import { effect, type Signal, signal } from "@preact/signals";
import { EVENT_KINDS, type EventKind } from "./event_kinds.ts";

export type Theme = "system" | "light" | "dark";
export type BackendsView = "cards" | "table";

/** The lengths of time that charts can show, in seconds. */
export const WINDOWS = [60, 300, 900] as const;

/** The user's choices. The page's address contains all of them, so that a user can save it or send it. */
export interface ViewState {
  readonly theme: Signal<Theme>;
  readonly backends: Signal<BackendsView>;
  readonly window: Signal<number>;
  readonly latency: Signal<"p50" | "p99">;
  readonly kinds: Signal<readonly EventKind[]>;
  /** The text that events must contain. */
  readonly search: Signal<string>;
  /** The client whose session is shown and whose pick is explained. */
  readonly client: Signal<string>;
}

const DEFAULT_KINDS: readonly EventKind[] = EVENT_KINDS.filter((kind) => kind !== "probes");

/** Reads the state from the query of an address. Missing and invalid values get their defaults. */
export function parseView(query: string): ViewState {
  const given = new URLSearchParams(query);
  const oneOf = <T>(name: string, all: readonly T[], usual: T): Signal<T> =>
    signal(all.find((value) => String(value) === given.get(name)) ?? usual);
  const kinds = given.get("events")?.split(",");
  return {
    theme: oneOf<Theme>("theme", ["system", "light", "dark"], "system"),
    backends: oneOf<BackendsView>("backends", ["cards", "table"], "cards"),
    window: oneOf<number>("window", WINDOWS, 300),
    latency: oneOf<"p50" | "p99">("latency", ["p50", "p99"], "p99"),
    kinds: signal(
      kinds === undefined ? DEFAULT_KINDS : EVENT_KINDS.filter((kind) => kinds.includes(kind)),
    ),
    search: signal(given.get("search") ?? ""),
    client: signal(given.get("client") ?? ""),
  };
}

/** Writes the state as a query, without the values that are defaults. */
export function formatView(view: ViewState): string {
  const query = new URLSearchParams();
  const state = (name: string, value: string | number, usual: string | number) => {
    if (value !== usual) query.set(name, String(value));
  };
  state("theme", view.theme.value, "system");
  state("backends", view.backends.value, "cards");
  state("window", view.window.value, 300);
  state("latency", view.latency.value, "p99");
  state("events", view.kinds.value.join(","), DEFAULT_KINDS.join(","));
  state("search", view.search.value, "");
  state("client", view.client.value, "");
  return query.toString().replaceAll("%2C", ",");
}

/** Calls `write` with the query now and after each change. Returns a function that stops this. */
export function onViewChange(view: ViewState, write: (query: string) => void): () => void {
  return effect(() => write(formatView(view)));
}
