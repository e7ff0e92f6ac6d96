/** The admin API, with which an operator observes and changes the live balancer. */
export { Admin, adminDirectories, prepareAdmin } from "./admin.ts";
