/**
 * The scheduler: what the live balancer and the simulator share. It decides and never does: no I/O, no
 * timers, no clock, no randomness of its own.
 */
export * from "./algorithms/mod.ts";
export { Admission, type AdmissionRules } from "./admission/admission.ts";
export { type Aged, AgeList } from "../base/age_list.ts";
export { Arrival } from "./arrival.ts";
export { assert } from "../base/assert.ts";
export { Backend, type BackendMode, type BackendOptions, takesClients } from "./backend/backend.ts";
export { clientKey } from "./sessions/client_key.ts";
export type { EjectionRules } from "./backend/ejection.ts";
export * from "./events/events.ts";
export { Explanation } from "./explanation.ts";
export { Health, type HealthRules, ProbeSchedule } from "./backend/health.ts";
export {
  canonicalIp,
  formatIp,
  formatIpv6,
  type IpGroups,
  isIn,
  isInAny,
  parseIp,
  parsePrefix,
  type Prefix,
} from "../base/ip.ts";
export { childSeed, createRandom, mix, type Random } from "../base/random.ts";
export { Lease, type Refusal, type Traffic } from "./lease.ts";
export { Scheduler } from "./scheduler.ts";
export type { SchedulerOptions } from "./scheduler_options.ts";
export type { SlowStartRules } from "./backend/slow_start.ts";
export {
  type Recovery,
  SessionJournal,
  type SessionJournalRules,
} from "./sessions/session_journal.ts";
export {
  type Session,
  SessionMap,
  type SessionRecord,
  type StickyRules,
} from "./sessions/sessions.ts";
export { type QueueRules, Waiting } from "./waiting.ts";
export { type Nanoseconds, NS_PER_MS, NS_PER_S, NS_PER_US } from "../base/time.ts";
