/**
 * Notes for the browser's tools and for tests how long a step of the start took, from the moment at which the page was
 * asked for.
 *
 * - `interactive`: the run is painted, and its buttons are there and answer a click.
 * - `complete`: all panels are painted, too.
 */
export function measure(step: "interactive" | "complete"): void {
  performance.measure(step, { start: 0 });
}
