/** One backend: its state, when it is available, its health, its ejections and its slow start. */
export {
  type BackendCondition,
  conditionOf,
  isActive,
  isAvailable,
  isForItsOwnOnly,
  isFull,
  isServing,
  mayBeTriedAnyway,
  mayHaveRoom,
  takesClients,
  takesItsOwn,
  unavailability,
} from "./availability.ts";
export { type Backend, type BackendMode, type BackendOptions, BackendState } from "./backend.ts";
export { detectionTime, failbackTime, type NoticeTime } from "./detection_time.ts";
export { Ejection, type EjectionRules } from "./ejection.ts";
export { Health, type HealthRules, ProbeSchedule } from "./health.ts";
export { BackendRecovery, type RecoveryContext, type RecoveryRules } from "./recovery.ts";
export { SlowStart, type SlowStartRules } from "./slow_start.ts";
