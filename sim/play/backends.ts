/** Backends that join or leave the configuration during a run. */
import { type Nanoseconds, UserError } from "../../lib/base/mod.ts";
import type { RunDocument } from "./document.ts";
import type { Session } from "./session.ts";
import type { AddBackend } from "./types.ts";

/** The backends of the present configuration, in the notation of a scenario. */
function written(session: Session): Readonly<Record<string, unknown>>[] {
  return session.runs[0]!.backends.map(({ id, weight, backup, maxConnections, mode }) => ({
    id,
    ...weight !== 1 && { weight },
    ...backup && { backup },
    ...maxConnections !== undefined && { max_connections: maxConnections },
    ...mode !== undefined && mode !== "ready" && { mode },
  }));
}

/** Adds a backend to the configuration of all balancers. */
export function withBackend(
  session: Session,
  document: RunDocument,
  at: Nanoseconds,
  { id, backend = {}, server }: AddBackend,
): RunDocument {
  const present = written(session);
  const name = id ?? nextName(session.runs[0]!.ids);
  if (present.some((one) => one.id === name)) {
    throw new UserError(`there is already a backend "${name}"`, { exitCode: 2 });
  }
  return document.withChange(at, {
    "balancer.backends": [...present, { id: name, ...backend }],
    ...server !== undefined && { [`servers.${name}`]: server },
  });
}

/** Removes a backend from the configuration of all balancers. */
export function withoutBackend(
  session: Session,
  document: RunDocument,
  at: Nanoseconds,
  id: string,
): RunDocument {
  const present = written(session);
  const left = present.filter((one) => one.id !== id);
  if (left.length === present.length) {
    throw new UserError(`there is no backend "${id}"`, { exitCode: 2 });
  }
  return document.withChange(at, { "balancer.backends": left });
}

/** The next free name: B4 after B1, B2 and B3. */
function nextName(taken: readonly string[]): string {
  for (let number = taken.length + 1;; number++) {
    if (!taken.includes(`B${number}`)) return `B${number}`;
  }
}
