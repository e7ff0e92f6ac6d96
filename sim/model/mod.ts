/** The simulated world: clients, network, balancers, backends and faults. */
export { BackendModel } from "./backend_model.ts";
export { BalancerModel } from "./balancer_model.ts";
export {
  ANSWERED,
  ASSIGNED,
  AT_BACKEND,
  AWAITED,
  Connection,
  IN_SERVICE,
  IN_USE,
  OK,
  OPEN,
  PROBE,
  QUEUED,
} from "./connections.ts";
export { checkInvariants } from "./invariants.ts";
export { Liveness, MANY_AT_ONCE } from "./liveness.ts";
export { offeredLoad } from "./load.ts";
export { createNetwork, type Network } from "./network.ts";
export { placed, type RequestWatcher, serversById, World } from "./world.ts";
