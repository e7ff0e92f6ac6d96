import { useMemo } from "preact/hooks";
import { useShared } from "./context.ts";

/** The colours of the page's theme, for drawing. */
export interface Colours {
  /** Changes with the theme. */
  readonly key: string;
  readonly isDark: boolean;
  readonly ground: string;
  readonly card: string;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly grid: string;
  readonly accent: string;
  readonly good: string;
  readonly bad: string;
  readonly warn: string;
}

const NAMES = [
  ...["ground", "card", "text", "muted", "line", "grid", "accent", "good", "bad", "warn"],
] as const;

export function useColours(): Colours {
  const isDark = useShared().isDark.value;
  return useMemo(() => coloursOf(isDark), [isDark]);
}

/** The present colours of the style sheet. */
export function coloursOf(isDark: boolean): Colours {
  const style = getComputedStyle(document.documentElement);
  const colours = Object.fromEntries(
    NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]),
  );
  return { ...colours, key: isDark ? "dark" : "light", isDark } as unknown as Colours;
}
