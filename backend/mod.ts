/** The echo server, with faults on demand. */
export { BackendServer } from "./server.ts";
