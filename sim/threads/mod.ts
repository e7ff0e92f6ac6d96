/** Threads: besides the command, the only part of the simulator that needs a platform. */
export { WORKER_NAME } from "./worker_name.ts";
export { serveTasks, WorkerPool, type WorkerScope } from "./workers.ts";
