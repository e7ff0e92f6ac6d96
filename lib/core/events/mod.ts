/** The types of the events that a run emits. */
export { Announcer } from "./announcer.ts";
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
  type RefusalReason,
  type ScarceResource,
  toMs,
} from "./events.ts";
