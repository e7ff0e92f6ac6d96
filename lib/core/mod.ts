/**
 * The scheduler: what the live balancer and the simulator share. It decides and never does: no I/O, no
 * timers, no clock, no randomness of its own.
 */
export * from "./algorithms/mod.ts";
export { Admission, type AdmissionRules } from "./admission.ts";
export { type Aged, AgeList } from "./age_list.ts";
export { Arrival } from "./arrival.ts";
export { assert } from "./assert.ts";
export { Backend, type BackendMode, type BackendOptions, takesClients } from "./backend.ts";
export { clientKey } from "./client_key.ts";
export type { EjectionRules } from "./ejection.ts";
export * from "./events.ts";
export { Explanation } from "./explanation.ts";
export { Health, type HealthRules, ProbeSchedule } from "./health.ts";
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
} from "./prefix.ts";
export { childSeed, createRandom, mix, type Random } from "./random.ts";
export { Lease, type Refusal, type Traffic } from "./lease.ts";
export { Scheduler } from "./scheduler.ts";
export type { SchedulerOptions } from "./scheduler_options.ts";
export type { SlowStartRules } from "./slow_start.ts";
export { type Recovery, SessionJournal, type SessionJournalRules } from "./session_journal.ts";
export { type Session, SessionMap, type SessionRecord, type StickyRules } from "./sessions.ts";
export { type QueueRules, Waiting } from "./waiting.ts";
export { type Nanoseconds, NS_PER_MS, NS_PER_S, NS_PER_US } from "./time.ts";
