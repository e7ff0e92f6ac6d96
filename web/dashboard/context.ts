import type { ReadonlySignal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Dashboard } from "./dashboard.ts";
import type { ViewState } from "./view_state.ts";

/** The state that all components share. */
export interface Page {
  readonly dashboard: Dashboard;
  readonly view: ViewState;
  readonly isDark: ReadonlySignal<boolean>;
  readonly hasReducedMotion: ReadonlySignal<boolean>;
}

export const PageContext = createContext<Page | undefined>(undefined);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (page === undefined) throw new Error("a component stands outside the page");
  return page;
}
