/**
 * The dashboard: components that show a stream of frames. They do not know whether frames come from a balancer or
 * from a simulation.
 */
export { App } from "./app.tsx";
export { Dashboard } from "./dashboard.ts";
export { LiveSource } from "./live_source.ts";
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
export { onViewChange, parseView, type ViewState } from "./view_state.ts";
