/** Threads: the only part of the simulator that a platform is needed for, besides its command. */
export { WORKER_NAME } from "./worker_name.ts";
export { serveTasks, WorkerPool, type WorkerScope } from "./workers.ts";
