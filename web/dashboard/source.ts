import type { BackendMode, ExplainedBackend, LbEvent } from "../../lib/core/mod.ts";
import type { WrittenFault } from "../../lib/fault/mod.ts";
import type { Frame, Snapshot } from "../../lib/observe/mod.ts";

/** Whether frames arrive. */
export type LinkState =
  | { readonly kind: "connecting" }
  | { readonly kind: "connected" }
  /** Reading needs the token, and it is missing or wrong. */
  | { readonly kind: "token needed" }
  | { readonly kind: "lost"; readonly reason: string };

/** The functions that a source calls. */
export interface SourceReader {
  link(state: LinkState): void;
  /**
   * The first snapshot comes before any frame of the same run; then one comes about once a second.
   */
  snapshot(snapshot: Snapshot): void;
  frame(frame: Frame): void;
  event(event: LbEvent): void;
  /** Events were lost after the latest event: this many, or null if the number is unknown. */
  lost(missed: number | null): void;
}

/** A client's session. */
export interface SessionRow {
  readonly client: string;
  readonly backend: string;
  /** The backend to which it returns when that backend is available. */
  readonly home: string;
  readonly connections: number;
  readonly used_at_ms: number;
}

/** A part of the session map. */
export interface SessionPage {
  /** The number of all sessions. */
  readonly count: number;
  readonly sessions: readonly SessionRow[];
}

/** The backend that a client would get, and why. */
export interface ExplainedPick {
  readonly client: string;
  /** Null if no backend is available. */
  readonly backend: string | null;
  readonly rule: string;
  readonly candidates: readonly ExplainedBackend[];
}

/** A fault that the operator can cause in a backend of the lab. */
export interface Fault {
  /** The kind in the notation of scenarios: `hang`, or `{slow: 5}`. */
  readonly kind: WrittenFault;
  readonly duration_s: number;
}

/** Changes to the balancer. If a change fails, its promise rejects with an Error that gives the reason in words. */
export interface Operator {
  /** Whether a change needs a token, and none was entered. */
  readonly needsToken: boolean;
  useToken(token: string): void;
  setState(backend: string, state: BackendMode): Promise<void>;
  setWeight(backend: string, weight: number): Promise<void>;
  setAlgorithm(algorithm: string): Promise<void>;
  /** Withdraws the operator's changes to a backend, or all changes. The file's settings apply again. */
  withdraw(backend?: string): Promise<void>;
  endSession(client: string): Promise<void>;
  hurt(backend: string, fault: Fault): Promise<void>;
  /** Ends all faults of a backend. */
  endFaults(backend: string): Promise<void>;
}

/**
 * The source of the page's frames: a balancer on real sockets, or a simulation. No component depends on which it is.
 */
export interface FrameSource {
  /** Begins to call the reader. Returns a function that stops it. */
  start(reader: SourceReader): () => void;
  /** Sessions, at most `limit`; those of one client if it is given. */
  sessions(limit: number, client?: string): Promise<SessionPage>;
  /** If it fails, it rejects with an Error that gives the reason in words. */
  explain(client: string): Promise<ExplainedPick>;
  /** Undefined if the page cannot change anything. */
  readonly operator: Operator | undefined;
}
