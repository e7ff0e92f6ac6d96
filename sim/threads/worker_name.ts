/** Name of a worker that serves tasks: by it the program knows that it is one. */
export const WORKER_NAME = "lbsim sim";
