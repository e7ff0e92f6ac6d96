/** The interface that the scheduler's driver and the books share. Connections are named by their numbers. */
import type { BackendMode, RefusalReason, SessionRecord } from "../../../lib/core/mod.ts";
import type { NamedBackend, Settings } from "./settings.ts";

/** What comes of asking for a backend. */
export type Outcome =
  | { readonly kind: "connect"; readonly backend: string }
  | { readonly kind: "wait" }
  | { readonly kind: "refused"; readonly reason: RefusalReason };

/** A life does each of its steps to a subject: to the scheduler's driver, and to the books. */
export interface Subject {
  /** A client connects: it is accepted or refused. */
  accept(client: string): void;
  /** A trusted proxy connects, which is to name its client. */
  acceptProxy(proxy: string): void;
  /** The proxy names its client. */
  admit(connection: number, client: string): void;
  /** A connection that was accepted asks for a backend. */
  assign(connection: number): void;
  connected(connection: number): void;
  answered(connection: number): void;
  connectFailed(connection: number): void;
  /** The driver cannot serve a connection that is not open. */
  refuse(connection: number): void;
  /** The client of a connection that is not open leaves. */
  leave(connection: number): void;
  /** An open connection ends. */
  close(connection: number): void;
  probe(backend: string, ok: boolean): void;
  setMode(backend: string, mode: BackendMode): void;
  add(backend: NamedBackend): void;
  remove(backend: string): void;
  reload(settings: Settings, backends: readonly NamedBackend[]): void;
  /** Another balancer has pinned or moved a session. */
  adopt(record: SessionRecord<string>): void;
  stop(): void;
}

/** The visible state of a subject, as plain data. */
export interface View {
  readonly backends: readonly {
    readonly id: string;
    readonly mode: BackendMode;
    readonly probes: "unknown" | "up" | "down";
    readonly ejected: boolean;
    readonly weight: number;
    readonly available: boolean;
    readonly inFlight: number;
    readonly connections: number;
    readonly connectFailures: number;
  }[];
  readonly activeServers: readonly string[];
  readonly inFlight: number;
  readonly waiting: number;
  /** Least recently used first. */
  readonly sessions: readonly {
    readonly key: string;
    readonly backend: string;
    readonly home: string;
    readonly open: number;
    readonly usedAt: number;
    readonly changedAt: number;
  }[];
}

type SessionView = View["sessions"][number];

/** What a view has of a session, of the scheduler or of the books. */
export function sessionView(
  { key, backend, home, open, usedAt, changedAt }: Omit<SessionView, "backend" | "home"> & {
    readonly backend: { readonly id: string };
    readonly home: { readonly id: string };
  },
): SessionView {
  return { key, backend: backend.id, home: home.id, open, usedAt, changedAt };
}
