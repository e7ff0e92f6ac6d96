/** Which backend a client returns to: keys, sessions, and the journal that stores are written from. */
export { clientKey } from "./client_key.ts";
export { SessionJournal, type StoreRecovery } from "./session_journal.ts";
export { type Session, SessionMap, type SessionRecord, type StickyRules } from "./sessions.ts";
export { Stickiness } from "./stickiness.ts";
