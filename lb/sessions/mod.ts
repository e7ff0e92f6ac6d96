/** Stores of sessions outside of the process: SQLite and Redis. */
export { SessionKeeper } from "./session_keeper.ts";
export { sessionStoreOf } from "./session_store.ts";
export { linkedFile } from "./sqlite_store.ts";
