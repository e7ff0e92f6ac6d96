/** The playground: a page that shows a simulation, and the worker that runs it. */
export * from "./protocol.ts";
