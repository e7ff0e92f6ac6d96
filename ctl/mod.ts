/** `lbsim ctl`: shows and steers a running balancer by its admin API. */
export { ctlCommand } from "./command.ts";
