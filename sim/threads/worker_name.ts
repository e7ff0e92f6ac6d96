/** The name of a worker that serves tasks. By this name, the program recognises that it runs as such a worker. */
export const WORKER_NAME = "lbsim sim";
