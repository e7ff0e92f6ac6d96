/** `lbsim ctl`: shows and changes a running balancer through its admin API. */
export { ctlCommand } from "./command.ts";
