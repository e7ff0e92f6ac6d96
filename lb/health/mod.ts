/** Probes of the backends: their timers and sockets. */
export { Prober } from "./prober.ts";
