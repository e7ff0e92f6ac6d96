import type { BackendMode, ExplainedBackend, LbEvent } from "../../lib/core/mod.ts";
import type { Frame, Snapshot } from "../../lib/observe/mod.ts";

/** Whether frames arrive. */
export type LinkState =
  | { readonly kind: "connecting" }
  | { readonly kind: "connected" }
  /** Reading needs the token, and it is missing or wrong. */
  | { readonly kind: "token needed" }
  | { readonly kind: "lost"; readonly reason: string };

/** What a source calls. */
export interface SourceReader {
  link(state: LinkState): void;
  /** The first comes before any frame of the same run; later ones about once a second. */
  snapshot(snapshot: Snapshot): void;
  frame(frame: Frame): void;
  event(event: LbEvent): void;
  /** Events were lost between the last one and the next: so many, or null if that is not known. */
  lost(missed: number | null): void;
}

/** A client's session. */
export interface SessionRow {
  readonly client: string;
  readonly backend: string;
  /** Where it returns to when that backend is available. */
  readonly home: string;
  readonly connections: number;
  readonly used_at_ms: number;
}

/** A part of the session map. */
export interface SessionPage {
  /** Of all sessions. */
  readonly count: number;
  readonly sessions: readonly SessionRow[];
}

/** Where a client would go, and why. */
export interface ExplainedPick {
  readonly client: string;
  /** Null if no backend is available. */
  readonly backend: string | null;
  readonly rule: string;
  readonly candidates: readonly ExplainedBackend[];
}

/** What the operator may do to a backend of the lab, in the words of scenarios. */
export interface Fault {
  readonly kind: string;
  /** Seconds. */
  readonly duration_s: number;
}

/** What changes the balancer. Each rejects with an Error that says in words why it was not done. */
export interface Operator {
  /** Whether a change needs a token that was not given. */
  readonly needsToken: boolean;
  useToken(token: string): void;
  setState(backend: string, state: BackendMode): Promise<void>;
  setWeight(backend: string, weight: number): Promise<void>;
  setAlgorithm(algorithm: string): Promise<void>;
  /** All is as the file says again: for a backend, or for all that was changed. */
  withdraw(backend?: string): Promise<void>;
  endSession(client: string): Promise<void>;
  hurt(backend: string, fault: Fault): Promise<void>;
}

/**
 * Where the page's frames come from: a balancer on real sockets, or a simulation. Nothing on the page knows which.
 */
export interface FrameSource {
  /** Begins to call the reader. Returns what ends it. */
  start(reader: SourceReader): () => void;
  /** Sessions, at most `limit`; those of one client if it is given. */
  sessions(limit: number, client?: string): Promise<SessionPage>;
  /** Rejects with an Error that says why in words. */
  explain(client: string): Promise<ExplainedPick>;
  /** Undefined: nothing can be changed. */
  readonly operator: Operator | undefined;
}
