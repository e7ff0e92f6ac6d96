/**
 * The state of a run: events and the scheduler's tables, folded into snapshots and frames. The status
 * log, the metrics, `lbsim ctl` and the dashboard read these, and a page cannot tell whether they come
 * from sockets or from virtual time. Pure.
 */
export { EventStreamParser, type ServerSentEvent } from "./event_stream.ts";
export {
  detailed,
  IDS_MAX,
  idsInShort,
  plural,
  refusalInWords,
  sentenceOf,
} from "./event_words.ts";
export { explanationLines } from "./explanation_lines.ts";
export {
  CONDITIONS,
  decodeFrame,
  encodeFrame,
  type Frame,
  type FrameColumns,
  type FrameTotals,
} from "./frame.ts";
export { type CumulativeHistogram, Latencies } from "./latencies.ts";
export { type FactsSource, metricsText } from "./metrics_text.ts";
export { Monitor, type OpenTraffic, type Surroundings, type Tables } from "./monitor.ts";
export {
  type Beliefs,
  type Counts,
  type Dots,
  type Flows,
  NONE,
  type Phase,
  PHASES,
  type Truth,
} from "./simulation_frame.ts";
export { digestOf, type Settings, settingsOf } from "./settings.ts";
export type {
  BackendSnapshot,
  ConnectionsSnapshot,
  EjectionSnapshot,
  HealthSnapshot,
  LatencySnapshot,
  ProbeSnapshot,
  ProcessSnapshot,
  QueueSnapshot,
  SessionsSnapshot,
  SlowStartSnapshot,
  Snapshot,
  WishSnapshot,
} from "./snapshot.ts";
