/** The common parts of the admin APIs of the balancer and of backends: server, access rules and client. */
export { presentedToken, refusalOf, servedHosts, typedToken } from "./access.ts";
export { AdminClient, placeOf, RequestRefused, type Target, Unreachable } from "./client.ts";
export { BadRequest, bodyOf, type Handler, json, routed, type Routes } from "./router.ts";
export {
  AdminServer,
  type Api,
  type ApiAnswer,
  type ApiRequest,
  failure,
  PortInUse,
} from "./server.ts";
export { type AdminSettings, prepareTokenFile, startAdmin, type Warn } from "./start.ts";
export { BACKLOG_BYTES_MAX, serverSentEvent, StreamReader } from "./stream.ts";
export { backendTarget, targetOf } from "./target.ts";
export { MemoryToken, type Token, TokenFile } from "./token.ts";
