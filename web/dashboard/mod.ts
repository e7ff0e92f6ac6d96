/**
 * The dashboard: components that show a stream of frames. They do not know whether frames come from a balancer or
 * from a simulation.
 */
export { type Page, PageContext } from "./context.ts";
export { Dashboard } from "./dashboard.ts";
export { EventLog } from "./event_log.tsx";
export { Candidates } from "./explain_pick.tsx";
export { formatAge, formatMs, formatNumber, formatShare } from "./format.ts";
export { SIGNS, type Stroke, strokeOf } from "./palette.ts";
export { Sessions } from "./sessions.tsx";
export type {
  ExplainedPick,
  Fault,
  FrameSource,
  LinkState,
  Operator,
  SessionPage,
  SessionRow,
  SourceReader,
} from "./source.ts";
export { applyTheme, mediaSignal } from "./theme.ts";
export { parseView, type Theme, type ViewState } from "./view_state.ts";
