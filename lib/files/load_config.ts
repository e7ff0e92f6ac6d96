/** Reads a configuration from its file, with the content of the files that it names. */
import { UserError } from "../base/mod.ts";
import {
  checkListen,
  type Config,
  ConfigDraft,
  type Finding,
  type Overrides,
  withOverrides,
} from "../config/mod.ts";
import { eventLoopTurn, localAddresses } from "../io/mod.ts";
import { beside } from "./beside.ts";
import { certificateFiles, type Certificates, readCertificates } from "./certificates.ts";
import { ownBackendsHere } from "./own_backends_here.ts";
import { readText } from "./text_file.ts";

/** A configuration, with the content of the files that it names. */
export interface LoadedConfig {
  readonly config: Config;
  readonly certificates: Certificates;
  /** One line for each file whose certificate has expired, so that the content in use stays. */
  readonly expired: readonly string[];
}

/**
 * Reads a configuration file, and applies the settings of the command line.
 *
 * @throws {UserError} if it cannot be read, or a flag is wrong; {DiagnosticsError} if there are mistakes in it.
 */
export async function loadConfig(file: string, overrides: Overrides = {}): Promise<Config> {
  const loaded = await load(file, (config) => Promise.resolve({ config, findings: [] }), overrides);
  return loaded.config;
}

/**
 * Reads a configuration file and the files that it names.
 *
 * @param nowMs In milliseconds since 1970: a certificate that has expired by then is a mistake.
 * @param inUse The certificates in use. One stays in use if the only mistake in the new one is that it has expired.
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
 * Reads a configuration file, and the files that it names, for a balancer on this machine, and applies the
 * settings of the command line.
 *
 * @param nowMs In milliseconds since 1970: a certificate that has expired by then is a mistake.
 * @param inUse The certificates in use. One stays in use if the only mistake in the new one is that it has expired.
 * @throws {UserError} as `loadConfigAndCertificates`; also if a flag is wrong, if this machine does not
 * have the address to listen on, or if the balancer would be its own backend.
 */
export function loadListeningConfig(
  file: string,
  overrides: Overrides,
  nowMs: number,
  inUse?: Certificates,
): Promise<LoadedConfig> {
  return load(file, async (config) => {
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
  }, overrides);
}

/** The result of the checks that need more than the text. */
interface Checks {
  readonly findings: readonly Finding[];
  /** Whether all findings concern this machine, so that the file may be valid on another one. */
  readonly isElsewhere?: boolean;
}

/**
 * Reads a file and makes further checks. They are made on the valid parts of an invalid file, too, so that
 * all mistakes are reported at once.
 */
async function load<T extends Checks>(
  file: string,
  check: (config: Config) => Promise<T>,
  overrides: Overrides = {},
): Promise<T> {
  const draft = await inTurns(ConfigDraft.inSteps(await readText(file)));
  const config = withPaths(file, withOverrides(draft, overrides));
  const checks = await check(config);
  const { findings, isElsewhere } = checks;
  draft.conclude(findings, { isElsewhere, files: Object.values(certificateFiles(file, config)) });
  return checks;
}

/** The configuration with its relative paths resolved: they start at the directory of the file. */
function withPaths(file: string, config: Config): Config {
  return withStorePath(file, withAdminPaths(file, config));
}

function withStorePath(file: string, config: Config): Config {
  const { sticky } = config;
  if (sticky === undefined || sticky.store === "memory") return config;
  const { sqlite } = sticky.store;
  if (sqlite === undefined) return config;
  return { ...config, sticky: { ...sticky, store: { sqlite: beside(file, sqlite) } } };
}

function withAdminPaths(file: string, config: Config): Config {
  const { tokenFile, tls, ...admin } = config.admin;
  return {
    ...config,
    admin: {
      ...admin,
      ...tokenFile !== undefined && { tokenFile: beside(file, tokenFile) },
      ...tls !== undefined &&
        { tls: { certificate: beside(file, tls.certificate), key: beside(file, tls.key) } },
    },
  };
}

async function withCertificates(
  file: string,
  config: Config,
  nowMs: number,
  inUse: Certificates | undefined,
): Promise<LoadedConfig & Checks> {
  return { config, ...await readCertificates(file, config, nowMs, inUse) };
}

/** Runs the steps one by one, and lets the event loop handle other events between them. */
async function inTurns<T>(steps: Generator<void, T>): Promise<T> {
  while (true) {
    const { done, value } = steps.next();
    if (done) return value;
    await eventLoopTurn();
  }
}
