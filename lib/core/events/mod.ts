/** The types of the events that a run emits. */
export { Announcer } from "./announcer.ts";
export { EventBalance } from "./balance.ts";
export {
  type BackendFaultBegan,
  type BackendFaultEnded,
  type BackendModeChanged,
  type ConnectFailure,
  type ConnectionEnd,
  EVENT_TYPES,
  type EventOf,
  EventStream,
  type EventType,
  type ExplainedBackend,
  type LbEvent,
  type PickExplained,
  ReaderFailure,
  type RefusalReason,
  REPLAY_TYPES,
  type ReplayEvent,
  type RunStarted,
  type ScarceResource,
  type StreamEvent,
  type StreamType,
  toMs,
} from "./events.ts";
export type { ConnectionMeter, MeteredBackend } from "./meter.ts";
