import type { BackendCondition } from "../../lib/core/mod.ts";

/** Colours that people with any colour vision can distinguish (Okabe and Ito), for light and dark backgrounds. */
const LIGHT = [
  "#0072b2",
  "#c1500a",
  "#00795a",
  "#a8407f",
  "#7a6a00",
  "#3a3fb0",
  "#4d4d4d",
  "#8a2c2c",
];
const DARK = [
  "#56b4e9",
  "#f0915a",
  "#2fcf9f",
  "#e79bc6",
  "#f0e442",
  "#a5a8ff",
  "#c8c8c8",
  "#e58b8b",
];
/** Dashes distinguish lines that have the same colour. */
const DASHES: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

/** How the line of a backend is drawn. It has a dash pattern, so lines differ not only by colour. */
export interface Stroke {
  readonly colour: string;
  readonly dash: readonly number[];
}

/** @param index The backend's place in the configuration. */
export function strokeOf(index: number, isDark: boolean): Stroke {
  const colours = isDark ? DARK : LIGHT;
  const round = Math.floor(index / colours.length);
  return {
    colour: colours[index % colours.length]!,
    dash: DASHES[(index + round) % DASHES.length]!,
  };
}

/** A sign for each condition, so that conditions differ not only by colour. */
export const SIGNS: Readonly<Record<BackendCondition, string>> = {
  unknown: "?",
  up: "✓",
  down: "✕",
  ejected: "⏏",
  drain: "◐",
  maintenance: "■",
};
