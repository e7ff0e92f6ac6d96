/** The admin API: what the live balancer shows, and lets an operator change. */
export { Admin, adminDirectories, prepareAdmin } from "./admin.ts";
