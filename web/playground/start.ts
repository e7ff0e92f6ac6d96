import type { Library } from "./lessons.ts";

/*
 * The simulation in its worker, and the examples and lessons, take longest to load. So they begin before any other part
 * of the page is evaluated.
 */

/** The thread of the simulation. */
export const worker = new Worker("worker.js", { type: "module" });

/** The examples and lessons. Rejects if they cannot be loaded. */
export const library: Promise<Library> = fetch("lessons.json").then((response) => {
  if (!response.ok) throw new Error(`lessons.json: ${response.status} ${response.statusText}`);
  return response.json();
});
