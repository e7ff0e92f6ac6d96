/** The result of a run as data, text, CSV and a page, and the line that is shown during the run. */
export { resultCsv } from "./csv.ts";
export { liveLine } from "./live_line.ts";
export { type BenchResult, resultOf } from "./result.ts";
export { resultLines } from "./text.ts";
export { resultPage } from "./page.ts";
