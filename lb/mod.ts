/** The live balancer. */
export { Admin } from "./admin/mod.ts";
export { Balancer } from "./balancer.ts";
export { explainNow } from "./explain.ts";
export { LiveMonitor } from "./live_monitor.ts";
export { serveBalancer, type ServeOptions } from "./serve.ts";
export {
  recordFilesOption,
  recordKeyOption,
  recordMaxSizeOption,
  recordOption,
  recordOptions,
} from "./recording/mod.ts";
