/** `lbsim import`: makes recordings from the logs of other programs. */
export { importCommand } from "./command.ts";
