/**
 * The scheduler, which the live balancer and the simulator share. It only decides: it has no I/O, no timers, no
 * clock and no randomness of its own.
 */
export { Admission } from "./admission/mod.ts";
export {
  type Algorithm,
  ALGORITHM_NAMES,
  type AlgorithmName,
  type AlgorithmOptions,
  algorithmParameters,
  algorithmSummary,
  type Candidate,
  createAlgorithm,
  isHash,
  isPrime,
  type Parameter,
  type PickDetails,
  type PickTrace,
  RING_POINTS_MAX,
} from "./algorithms/mod.ts";
export {
  type Backend,
  type BackendCondition,
  type BackendMode,
  type BackendOptions,
  conditionOf,
  detectionTime,
  type EjectionRules,
  failbackTime,
  Health,
  type HealthRules,
  type NoticeTime,
  ProbeSchedule,
  type SlowStartRules,
  takesClients,
} from "./backend/mod.ts";
export {
  EVENT_TYPES,
  EventBalance,
  EventStream,
  ReaderFailure,
  REPLAY_TYPES,
  toMs,
} from "./events/mod.ts";
export type {
  BackendFaultBegan,
  BackendFaultEnded,
  BackendModeChanged,
  ConnectFailure,
  ConnectionEnd,
  ConnectionMeter,
  EventOf,
  EventType,
  ExplainedBackend,
  LbEvent,
  MeteredBackend,
  PickExplained,
  RefusalReason,
  ReplayEvent,
  RunStarted,
  ScarceResource,
  StreamEvent,
  StreamType,
} from "./events/mod.ts";
export type { Connect, Connection, Outcome, Phase, Refused, Traffic } from "./connection.ts";
export { Explanation } from "./explanation.ts";
export { closeOnDown, type OnDown } from "./on_down.ts";
export { Scheduler } from "./scheduler.ts";
export type { SchedulerOptions } from "./options.ts";
export {
  clientKey,
  type Session,
  SessionJournal,
  SessionMap,
  type SessionRecord,
  type StickyRules,
  type StoreRecovery,
} from "./sessions/mod.ts";
export type { QueueRules } from "./queue.ts";
export { sweepInterval, SWEEPS_PER_TIMEOUT } from "./sweep.ts";
