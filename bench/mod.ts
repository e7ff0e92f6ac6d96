/**
 * The load generator. `SessionLoad` plays the clients of a scenario, for `lbsim bench` and for `lbsim live`;
 * `PooledLoad` sends requests over a pool of connections; `run` drives either to its end.
 */
export {
  type AnswerReader,
  BackendNames,
  type ErrorKind,
  httpPayload,
  INVALID,
  linePayload,
  MORE,
  NO_BACKEND,
  type Payload,
  rawPayload,
  Tally,
} from "./core/mod.ts";
export {
  dial,
  DialError,
  type DialOptions,
  type Load,
  PooledLoad,
  type PooledOptions,
  run,
  RunClock,
  type RunOptions,
  type SessionDemand,
  SessionLoad,
  type SessionOptions,
  type SessionOutcome,
  type SessionRequest,
} from "./drive/mod.ts";
