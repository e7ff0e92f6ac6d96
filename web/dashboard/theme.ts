import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Theme } from "./view_state.ts";

/** Whether a media query matches; follows each change. */
export function mediaSignal(query: string): ReadonlySignal<boolean> {
  const list = matchMedia(query);
  const matches = signal(list.matches);
  list.addEventListener("change", () => matches.value = list.matches);
  return matches;
}

/** Sets the page's theme. Returns whether the background is dark. */
export function applyTheme(theme: Signal<Theme>): ReadonlySignal<boolean> {
  const systemIsDark = mediaSignal("(prefers-color-scheme: dark)");
  const isDark = computed(() =>
    theme.value === "system" ? systemIsDark.value : theme.value === "dark"
  );
  effect(() => {
    document.documentElement.dataset.theme = isDark.value ? "dark" : "light";
  });
  return isDark;
}
