/** The client: interactive, in batches, and as a load. */
export { LoadGenerator, type LoadResult } from "./load.ts";
