/** The echo server, with faults on demand. */
export { requestLogger, totalsInWords } from "./backend_log.ts";
export { BackendFaults, type FaultChange } from "./faults.ts";
export { BackendServer } from "./server.ts";
