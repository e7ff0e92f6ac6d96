/** The sessions of clients: their keys, their backends, and the journal from which stores are written. */
export { clientKey } from "./client_key.ts";
export { SessionJournal, type StoreRecovery } from "./session_journal.ts";
export { type Session, SessionMap, type SessionRecord, type StickyRules } from "./sessions.ts";
export { Stickiness } from "./stickiness.ts";
