/** The playground without its page: runs that can be paused, moved back in time, changed and shown. */
export type * from "./types.ts";
export { MissingFiles, RunDocument } from "./document.ts";
export { PlayRun } from "./play_run.ts";
export { Session, type Shown, type StepTarget } from "./session.ts";
export { Player, PROTOCOL_VERSION } from "./player.ts";
