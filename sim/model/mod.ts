/** The simulated world: clients, network, balancers, backends and faults. */
export { BackendModel } from "./backend_model.ts";
export { BalancerModel } from "./balancer_model.ts";
export { Connection } from "./connections.ts";
export { checkInvariants } from "./invariants.ts";
export { Liveness, MANY_AT_ONCE } from "./liveness.ts";
export { offeredLoad } from "./load.ts";
export { World } from "./world.ts";
