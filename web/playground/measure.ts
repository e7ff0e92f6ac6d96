/**
 * Records for the browser's tools and for tests how long a step of the start took, from the request for the page.
 *
 * - `interactive`: the run and its buttons are visible, and the buttons answer a click.
 * - `complete`: all panels are visible, too.
 */
export function measure(step: "interactive" | "complete"): void {
  performance.measure(step, { start: 0 });
}
