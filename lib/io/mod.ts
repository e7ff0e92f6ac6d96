/** Sockets, TLS, files and the clock: everything that needs the operating system. */
export { acceptAll } from "./accept.ts";
export { type Alarm, Alarms } from "./alarms.ts";
export { type Clock, monotonicNow, timerDelay, today } from "./clock.ts";
export { closeIfOpen } from "./close_if_open.ts";
export type { Connection } from "./connection.ts";
export { Deadline } from "./deadline.ts";
export { descriptorsLeft } from "./descriptors.ts";
export { EventLoopGate, eventLoopTurn } from "./event_loop.ts";
export { listen, listenTls } from "./listen.ts";
export { localAddresses } from "./local_addresses.ts";
export { LocalShortages } from "./local_shortages.ts";
export { Notifier } from "./notifier.ts";
export { openInBrowser } from "./open_in_browser.ts";
export { giveUp, keepWritingTo } from "./permissions.ts";
export {
  encodeProxyHeader,
  type Endpoints,
  parseProxyHeader,
  PROXY_HEADER_MAX,
} from "./proxy_protocol.ts";
export { runFolder } from "./run_folder.ts";
export { sleep } from "./sleep.ts";
export {
  type LocalResource,
  localShortage,
  systemCode,
  systemReason,
  writeFailure,
} from "./system_error.ts";
export { type MakeTimer, systemTimers, type Timer } from "./timers.ts";
export { type ExpectedPeer, startTls, type TlsFailure } from "./tls.ts";
export { tlsErrorInWords } from "./tls_words.ts";
export { untilAborted } from "./until_aborted.ts";
export { FileWatch } from "./watch.ts";
export { writtenPaths } from "./written_paths.ts";
