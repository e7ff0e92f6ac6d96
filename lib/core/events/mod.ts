/** The types of the events that a run emits. */
export { Announcer } from "./announcer.ts";
export { EventBalance } from "./balance.ts";
export {
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
  type RunStarted,
  type ScarceResource,
  toMs,
} from "./events.ts";
export type { ConnectionMeter, MeteredBackend } from "./meter.ts";
