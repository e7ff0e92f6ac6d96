/** Settings from the command line, which override the file's. */
import * as z from "zod";
import { UserError } from "../base/mod.ts";
import { checkConfig } from "./check.ts";
import type { ConfigDraft } from "./config_draft.ts";
import { validate } from "./findings.ts";
import { type Config, configKeys, logKeys } from "./schema.ts";

/** The values of flags; undefined for a flag that is not given. */
export interface Overrides {
  readonly listen?: string | undefined;
  readonly algorithm?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly logFormat?: string | undefined;
  readonly logConnections?: boolean | undefined;
}

/**
 * The configuration with the command line's settings.
 *
 * @throws {UserError} naming a flag that is wrong by itself, or that does not fit the file.
 */
export function withOverrides({ config, data }: ConfigDraft, overrides: Overrides): Config {
  const { listen, algorithm, logLevel, logFormat, logConnections } = overrides;
  if (algorithm !== undefined) checkAlgorithm(algorithm, data);
  return {
    ...config,
    ...listen !== undefined && { listen: flagValue("--listen", configKeys.listen, listen) },
    ...algorithm !== undefined &&
      { algorithm: flagValue("--algorithm", configKeys.algorithm, algorithm) },
    log: {
      ...config.log,
      ...logLevel !== undefined && { level: flagValue("--log-level", logKeys.level, logLevel) },
      // The flag is `--no-log-connections`: it cannot switch them on.
      ...logConnections === false && { connections: false },
      ...logFormat !== undefined &&
        { format: flagValue("--log-format", logKeys.format, logFormat) },
    },
  };
}

/**
 * Checks an algorithm as if the file named it.
 *
 * @throws {UserError} if it does not fit the rest of the file.
 */
function checkAlgorithm(algorithm: string, data: unknown): void {
  const known = new Set(checkConfig(data).map(({ message }) => message));
  const wrong = checkConfig({ ...data as object, algorithm })
    .find(({ message }) => !known.has(message));
  if (wrong === undefined) return;
  const { message, hint } = wrong;
  throw new UserError(`--algorithm ${algorithm}: ${message}`, {
    exitCode: 2,
    ...hint !== undefined && { hint },
  });
}

function flagValue<S extends z.ZodType>(flag: string, schema: S, value: string): z.output<S> {
  const flags = z.strictObject({ [flag]: schema });
  const { value: flagged, findings: [wrong] } = validate(flags, { [flag]: value }, () => []);
  if (wrong === undefined) return flagged![flag] as z.output<S>;
  const { message, hint } = wrong;
  throw new UserError(message, { exitCode: 2, ...hint !== undefined && { hint } });
}
