/** config.yaml: from a file to a `Config`, or to diagnostics that say what is wrong with it. */
import * as z from "zod";
import { eventLoopTurn, localAddresses } from "../io/mod.ts";
import type { AlgorithmName } from "../core/mod.ts";
import { UserError } from "../base/mod.ts";
import { beside } from "./beside.ts";
import { type CamelKeys, camelKeys } from "./camel.ts";
import { certificateFiles, type Certificates, readCertificates } from "./certificates.ts";
import { checkConfig, checkListen } from "./check.ts";
import type { Source } from "./diagnostic.ts";
import { type Finding, independent, salvage, validate } from "./findings.ts";
import { ownBackendsHere } from "./own_backend.ts";
import { configSchema } from "./schema.ts";
import { NEEDS, readText, YamlFile } from "./yaml_file.ts";

/** A configuration: complete, valid, durations in nanoseconds. */
export type Config = CamelKeys<z.output<typeof configSchema>>;

/** A configuration, with what is in the files that it names. */
export interface LoadedConfig {
  readonly config: Config;
  readonly certificates: Certificates;
  /** What has expired in those files, so that what is in use stays in use: one line each. */
  readonly expired: readonly string[];
}

/** Settings from the command line, which win over the file's. */
export interface Overrides {
  readonly listen?: string | undefined;
  readonly algorithm?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly logFormat?: string | undefined;
  readonly logConnections?: boolean | undefined;
}

/**
 * Reads a configuration.
 *
 * @throws {DiagnosticsError} with everything that is wrong in the text.
 */
export function parseConfig(source: Source): Config {
  return configOf(source.file, new YamlFile(source).parse(configSchema, checkConfig));
}

function configOf(file: string, value: z.output<typeof configSchema>): Config {
  const config = camelKeys(value);
  const { store = "memory" } = config.sticky ?? {};
  if (store !== "memory" && store.sqlite !== undefined) store.sqlite = beside(file, store.sqlite);
  return config;
}

/**
 * Reads a configuration file, with what the command line says instead.
 *
 * @throws {UserError} if it cannot be read, or a flag is wrong; {DiagnosticsError} if there are mistakes in it.
 */
export async function loadConfig(file: string, overrides: Overrides = {}): Promise<Config> {
  const loaded = await load(file, (written, data) => {
    const config = applyOverrides(written, overrides, data);
    return Promise.resolve({ config, findings: [] });
  });
  return loaded.config;
}

/**
 * Reads a configuration file and the files that it names.
 *
 * @param nowMs In milliseconds since 1970: what has expired by then is wrong.
 * @param inUse Stays in use where there is nothing wrong with a certificate but that it has expired.
 * @throws {UserError} as `loadConfig`, also for mistakes in a certificate or key.
 */
export function loadConfigAndCertificates(
  file: string,
  nowMs: number,
  inUse?: Certificates,
): Promise<LoadedConfig> {
  return load(file, (config) => withCertificates(file, config, nowMs, inUse));
}

/**
 * Reads a configuration file, and the files that it names, for a balancer on this machine, with what the
 * command line says instead.
 *
 * @param nowMs In milliseconds since 1970: what has expired by then is wrong.
 * @param inUse Stays in use where there is nothing wrong with a certificate but that it has expired.
 * @throws {UserError} as `loadConfigAndCertificates`; also if a flag is wrong, if this machine does not
 * have the address to listen on, or if the balancer would be its own backend.
 */
export function loadListeningConfig(
  file: string,
  overrides: Overrides,
  nowMs: number,
  inUse?: Certificates,
): Promise<LoadedConfig> {
  return load(file, async (written, data) => {
    const config = applyOverrides(written, overrides, data);
    const local = localAddresses();
    const missing = checkListen(config.listen, local);
    if (missing.length > 0 && overrides.listen !== undefined) {
      const { message, hint } = missing[0]!;
      throw new UserError(`--listen: ${message}`, { ...hint !== undefined && { hint } });
    }
    const here = [...missing, ...await ownBackendsHere(config, local)];
    const loaded = await withCertificates(file, config, nowMs, inUse);
    const isElsewhere = here.length > 0 && loaded.findings.length === 0;
    return { ...loaded, findings: [...here, ...loaded.findings], isElsewhere };
  });
}

/** The result of the checks that need more than the text. */
interface Looked {
  readonly findings: readonly Finding[];
  /** Whether all findings are about this machine, so that the file may be right on another one. */
  readonly isElsewhere?: boolean;
}

/**
 * Reads a file and makes further checks. They are made on the valid parts of an invalid file, too, so that
 * all mistakes are reported at once.
 */
async function load<T extends Looked>(
  file: string,
  look: (config: Config, data: unknown) => Promise<T>,
): Promise<T> {
  const yaml = await YamlFile.read(await readText(file), configSchema);
  yaml.mustBeReadable(NEEDS);
  await eventLoopTurn();
  const { value, findings } = validate(configSchema, yaml.data, checkConfig);
  const rest = value === undefined ? salvage(configSchema, yaml.data, findings) : undefined;
  const usable = value ?? rest?.value;
  if (usable === undefined) throw yaml.error(findings);
  const config = configOf(file, usable);
  const looked = await look(config, rest?.data ?? yaml.data);
  const later = looked.findings.map((finding) => ({
    ...finding,
    path: rest?.original(finding.path) ?? finding.path,
  }));
  const all = [...findings, ...independent(later, findings)];
  if (all.length > 0 || !yaml.isSound) {
    const isRight = findings.length === 0 && yaml.isSound && looked.isElsewhere;
    const files = Object.values(certificateFiles(file, config));
    throw yaml.error(all, { exitCode: isRight ? 1 : 2, files });
  }
  return looked;
}

async function withCertificates(
  file: string,
  config: Config,
  nowMs: number,
  inUse: Certificates | undefined,
): Promise<LoadedConfig & Looked> {
  return { config, ...await readCertificates(file, config, nowMs, inUse) };
}

/**
 * The configuration with the command line's settings.
 *
 * @param data What the configuration was made of.
 * @throws {UserError} that names the flag which is wrong, by itself or together with the file.
 */
function applyOverrides(config: Config, overrides: Overrides, data: unknown): Config {
  const { listen, algorithm, logLevel, logFormat, logConnections } = overrides;
  if (algorithm !== undefined) checkAlgorithm(algorithm, data);
  const { shape } = configSchema;
  const log = shape.log.unwrap().shape;
  return {
    ...config,
    ...listen !== undefined && { listen: flagValue("--listen", shape.listen, listen) },
    ...algorithm !== undefined &&
      { algorithm: camelKeys(flagValue("--algorithm", shape.algorithm, algorithm)) },
    log: {
      ...config.log,
      ...logLevel !== undefined && { level: flagValue("--log-level", log.level, logLevel) },
      // The flag can only switch it off.
      ...logConnections === false && { connections: false },
      ...logFormat !== undefined && { format: flagValue("--log-format", log.format, logFormat) },
    },
  };
}

/**
 * Checks an algorithm as if the file named it.
 *
 * @throws {UserError} if it does not go together with the rest of the file.
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

/** An algorithm with the parameters that it has when none are given. */
export function algorithmNamed(name: AlgorithmName): Config["algorithm"] {
  return camelKeys(configSchema.shape.algorithm.parse(name));
}

function flagValue<S extends z.ZodType>(flag: string, schema: S, value: string): z.output<S> {
  const flags = z.strictObject({ [flag]: schema });
  const { value: flagged, findings: [wrong] } = validate(flags, { [flag]: value }, () => []);
  if (wrong === undefined) return flagged![flag] as z.output<S>;
  const { message, hint } = wrong;
  throw new UserError(message, { exitCode: 2, ...hint !== undefined && { hint } });
}
