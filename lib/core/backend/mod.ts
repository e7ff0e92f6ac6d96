/** One backend: its state, its health, its ejections and its slow start. */
export { Backend, type BackendMode, type BackendOptions, takesClients } from "./backend.ts";
export { Ejection, type EjectionRules } from "./ejection.ts";
export { Health, type HealthRules, ProbeSchedule } from "./health.ts";
export { SlowStart, type SlowStartRules } from "./slow_start.ts";
