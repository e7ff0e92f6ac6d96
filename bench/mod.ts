/**
 * The load generator. `SessionLoad` plays the clients of a scenario against an address, `PooledLoad` sends
 * requests over a pool of connections; `run` drives either to its end.
 */
export {
  BackendNames,
  type ErrorKind,
  httpPayload,
  linePayload,
  type Payload,
  rawPayload,
  Tally,
} from "./core/mod.ts";
export {
  type Load,
  PooledLoad,
  type PooledOptions,
  run,
  RunClock,
  type RunOptions,
  SessionLoad,
  type SessionOptions,
  type SessionOutcome,
  type SessionRequest,
} from "./drive/mod.ts";
