/** The sockets and timers of the load generator. */
export { dial, DialError, type DialOptions } from "./dialing.ts";
export type { LinksOptions } from "./links.ts";
export type { Load } from "./load.ts";
export { PooledLoad, type PooledOptions } from "./pooled_load.ts";
export { run, RunClock, type RunOptions } from "./run.ts";
export {
  type SessionDemand,
  SessionLoad,
  type SessionOptions,
  type SessionOutcome,
  type SessionRequest,
} from "./session_load.ts";
export { Sources } from "./sources.ts";
