/** The name of a worker that serves tasks. The program recognises by it that it runs as one. */
export const WORKER_NAME = "lbsim sim";
