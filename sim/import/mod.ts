/** `lbsim import`: makes recordings of the logs of other programs. */
export { importCommand } from "./command.ts";
