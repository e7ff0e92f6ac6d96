import { formatAddress, mix } from "../base/mod.ts";
import { type Config, writtenConfig } from "../config/mod.ts";
import type { BackendMode } from "../core/mod.ts";

/** The parts of the configuration that a snapshot contains. */
export interface Settings {
  /** Where clients connect; null in the simulator. */
  readonly listen: string | null;
  readonly algorithm: string;
  readonly digest: string;
  readonly connectionsLimit: number;
  /** Null if there is no queue. */
  readonly queueLimit: number | null;
  /** Null if there are no sticky sessions. */
  readonly sessionsLimit: number | null;
  /** How the operator's wishes differ from the file, one line each. */
  readonly wishes: readonly string[];
  /** Each backend's settings in the file. */
  readonly file: ReadonlyMap<string, { readonly state: BackendMode; readonly weight: number }>;
  /** The backends that have an admin API, which can inject faults. */
  readonly takesFaults: ReadonlySet<string>;
}

/**
 * @param config The configuration in use: that of the file, with the operator's wishes.
 * @param file The configuration in the file.
 * @param wishes The differences between the two, one line each.
 */
export function settingsOf(
  config: Config,
  file: Config = config,
  wishes: readonly string[] = [],
  listen: string | null = formatAddress(config.listen),
): Settings {
  return {
    listen,
    algorithm: config.algorithm.name,
    digest: digestOf(config),
    connectionsLimit: config.limits.connections,
    queueLimit: config.queue?.length ?? null,
    sessionsLimit: config.sticky?.maxEntries ?? null,
    wishes,
    file: new Map(
      file.backends.map(({ id, mode, weight }) => [id, { state: mode, weight }]),
    ),
    takesFaults: new Set(
      config.backends.filter(({ admin }) => admin !== undefined).map(({ id }) => id),
    ),
  };
}

/** A digest of sixteen hexadecimal digits. Equal configurations have equal digests; passwords do not count. */
export function digestOf(config: Config): string {
  const text = JSON.stringify(writtenConfig(config));
  return [0x1d, 0x2e].map((seed) => hashOf(text, seed).toString(16).padStart(8, "0")).join("");
}

function hashOf(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = mix((hash ^ text.charCodeAt(i)) + 0x9e3779b9);
  return hash >>> 0;
}
