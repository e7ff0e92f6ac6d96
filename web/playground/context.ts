import type { ReadonlySignal, Signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Theme } from "../dashboard/mod.ts";
import type { Opener } from "./opener.ts";
import type { Playground } from "./playground.ts";

/** The state that all components share. */
export interface Shared {
  readonly playground: Playground;
  readonly opener: Opener;
  readonly theme: Signal<Theme>;
  /** The stop of the tour; undefined if there is none. */
  readonly tour: Signal<number | undefined>;
  readonly isDark: ReadonlySignal<boolean>;
  readonly hasReducedMotion: ReadonlySignal<boolean>;
}

export const SharedContext = createContext<Shared | undefined>(undefined);

export function useShared(): Shared {
  const shared = useContext(SharedContext);
  if (shared === undefined) throw new Error("a component stands outside the page");
  return shared;
}
