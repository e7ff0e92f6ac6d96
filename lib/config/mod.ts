/** config.yaml: from a file to a `Config`, or to diagnostics that say what is wrong with it. */
import type * as z from "zod";
import { localAddresses } from "../address.ts";
import type { AlgorithmName } from "../core/mod.ts";
import { UserError } from "../user_error.ts";
import { beside } from "./beside.ts";
import { type CamelKeys, camelKeys } from "./camel.ts";
import { type Certificates, readCertificates } from "./certificates.ts";
import { checkConfig, checkListen } from "./check.ts";
import { DiagnosticsError, type Source } from "./diagnostic.ts";
import { configSchema } from "./schema.ts";
import { readText, YamlFile } from "./yaml_file.ts";

export { type Diagnostic, DiagnosticsError } from "./diagnostic.ts";

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
}

/**
 * Reads a configuration.
 *
 * @throws {DiagnosticsError} with everything that is wrong in the text.
 */
export function parseConfig(source: Source): Config {
  const config = camelKeys(new YamlFile(source).parse(configSchema, checkConfig));
  const { store = "memory" } = config.sticky ?? {};
  if (store !== "memory" && store.sqlite !== undefined) {
    store.sqlite = beside(source.file, store.sqlite);
  }
  return config;
}

/**
 * Reads a configuration file.
 *
 * @throws {UserError} if it cannot be read; {DiagnosticsError} if there are mistakes in it.
 */
export async function loadConfig(file: string): Promise<Config> {
  return parseConfig(await readText(file));
}

/**
 * Reads a configuration file and the files that it names.
 *
 * @param nowMs In milliseconds since 1970: what has expired by then is wrong.
 * @param inUse Stays in use where there is nothing wrong with a certificate but that it has expired.
 * @throws {UserError} as `loadConfig`, also for mistakes in a certificate or key.
 */
export async function loadConfigAndCertificates(
  file: string,
  nowMs: number,
  inUse?: Certificates,
): Promise<LoadedConfig> {
  const source = await readText(file);
  return await withCertificates(parseConfig(source), source, nowMs, inUse);
}

async function withCertificates(
  config: Config,
  source: Source,
  nowMs: number,
  inUse: Certificates | undefined,
): Promise<LoadedConfig> {
  const { findings, ...read } = await readCertificates(source.file, config, nowMs, inUse);
  if (findings.length > 0) throw new YamlFile(source).error(findings);
  return { config, ...read };
}

/**
 * Reads a configuration file, and the files that it names, for a balancer on this machine, with what the command line says instead.
 *
 * @param nowMs In milliseconds since 1970: what has expired by then is wrong.
 * @param inUse Stays in use where there is nothing wrong with a certificate but that it has expired.
 * @throws {UserError} as `loadConfigAndCertificates`, and if a flag is wrong, or this machine does not have
 * the address to listen on.
 */
export async function loadListeningConfig(
  file: string,
  overrides: Overrides,
  nowMs: number,
  inUse?: Certificates,
): Promise<LoadedConfig> {
  const source = await readText(file);
  const config = applyOverrides(parseConfig(source), overrides);
  const findings = checkListen(config.listen, localAddresses());
  if (findings.length === 0) return await withCertificates(config, source, nowMs, inUse);
  if (overrides.listen !== undefined) {
    const { message, hint } = findings[0]!;
    throw new UserError(`--listen: ${message}`, { ...hint !== undefined && { hint } });
  }
  const yaml = new YamlFile(source);
  throw new UserError(
    new DiagnosticsError(findings.map((finding) => yaml.locate(finding)), source).message,
    { hint: "`lbsim up` starts what belongs to this machine; --listen listens elsewhere" },
  );
}

/**
 * The configuration with the command line's settings.
 *
 * @throws {UserError} that names the flag which is wrong.
 */
export function applyOverrides(config: Config, overrides: Overrides): Config {
  const { listen, algorithm, logLevel, logFormat } = overrides;
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
      ...logFormat !== undefined && { format: flagValue("--log-format", log.format, logFormat) },
    },
  };
}

/** An algorithm with the parameters that it has when none are given. */
export function algorithmNamed(name: AlgorithmName): Config["algorithm"] {
  return camelKeys(configSchema.shape.algorithm.parse(name));
}

function flagValue<S extends z.ZodType>(flag: string, schema: S, value: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new UserError(`${flag}: ${result.error.issues[0]!.message}`, { exitCode: 2 });
}
