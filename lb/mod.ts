/** The live balancer. */
export { Balancer } from "./balancer.ts";
export { serveBalancer, type ServeOptions } from "./serve.ts";
