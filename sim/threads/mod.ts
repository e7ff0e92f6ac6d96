/** Threads: the only part of the simulator that a platform is needed for, besides its command. */
export { serveTasks, WORKER_NAME, WorkerPool, type WorkerScope } from "./workers.ts";
