import { checkConfig } from "./check.ts";
import { difference, writtenConfig } from "./difference.ts";
import type { Config } from "./schema.ts";

/** The operator's wishes for one backend, which override the file. */
export interface BackendWish {
  readonly mode?: Config["backends"][number]["mode"];
  readonly weight?: number;
}

/**
 * The changes by the operator while the balancer runs. Wishes survive a reload of the file, and stay until they are
 * withdrawn. A wish for a backend that the file does not name has an effect when a later file names it.
 */
export interface Wishes {
  readonly algorithm?: Config["algorithm"];
  readonly backends: Readonly<Record<string, BackendWish>>;
}

/** The operator has no wishes: all settings are those of the file. */
export const NO_WISHES: Wishes = { backends: {} };

/** A configuration from a file, with the operator's wishes. */
export function withWishes(file: Config, { algorithm, backends }: Wishes): Config {
  return {
    ...file,
    ...algorithm !== undefined && { algorithm },
    backends: file.backends.map((backend) => ({ ...backend, ...backends[backend.id] })),
  };
}

/** How the wishes differ from the file: lines like `B1.mode: ready → drain`. */
export function wishedChanges(file: Config, wishes: Wishes): readonly string[] {
  return difference(file, withWishes(file, wishes)).changes;
}

/** Why the wishes are not possible with the file, in words; undefined if they are. */
export function problemWithWishes(file: Config, wishes: Wishes): string | undefined {
  const known = new Set(checkConfig(writtenConfig(file)).map(({ message }) => message));
  const wrong = checkConfig(writtenConfig(withWishes(file, wishes)))
    .find(({ message }) => !known.has(message));
  return wrong && [wrong.message, wrong.hint].filter((part) => part !== undefined).join(": ");
}
