/** The echo server, with faults on demand. */
export { type BackendAdmin, backendAdminSettings, startBackendAdmin } from "./admin.ts";
export { faultLogger, jobsLogger, requestLogger, totalsInWords } from "./backend_log.ts";
export { Entrance, entranceMode, isHalted } from "./entrance.ts";
export { BackendFaults, type FaultChange, type FaultyBackend } from "./faults.ts";
export { JobServer, type JobServerOptions } from "./job_server.ts";
export { BackendServer } from "./server.ts";
export { Service, type ServiceOptions } from "./service.ts";
