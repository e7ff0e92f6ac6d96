import { Command } from "@commander-js/extra-typings";
import {
  backendAdminSettings,
  BackendFaults,
  BackendServer,
  faultLogger,
  jobsLogger,
  requestLogger,
  startBackendAdmin,
  totalsInWords,
} from "../backend/mod.ts";
import { type AdminSettings, prepareTokenFile } from "../lib/admin/mod.ts";
import {
  recordFilesOption,
  recordKeyOption,
  recordMaxSizeOption,
  recordOption,
  recordOptions,
  serveBalancer,
  type ServeOptions,
} from "../lb/mod.ts";
import {
  type Address,
  createRandom,
  formatAddress,
  isLocal,
  isWildcard,
  UserError,
} from "../lib/base/mod.ts";
import { FileWatch, giveUp, localAddresses, untilAborted } from "../lib/io/mod.ts";
import { fileOption, type Io, logger, logSentence, startLogging } from "../lib/cli/mod.ts";
import type { Config } from "../lib/config/mod.ts";
import {
  type Certificates,
  loadConfig,
  type LoadedConfig,
  loadListeningConfig,
} from "../lib/files/mod.ts";

/** The parts of a lab that belong to one machine. */
export interface Roles {
  readonly balancer: boolean;
  readonly backends: Config["backends"];
}

/** `lbsim up`: the same command and the same file on every machine. */
export function upCommand(io: Io) {
  return new Command("up")
    .description(
      "Start the roles that have an address of this machine: the balancer, backends, or both.",
    )
    .option(
      "-c, --config <file>",
      "the configuration file, the same on every machine",
      fileOption,
      "config.yaml",
    )
    .option("--no-log-connections", "do not log each connection")
    .addOption(recordOption())
    .addOption(recordMaxSizeOption())
    .addOption(recordFilesOption())
    .addOption(recordKeyOption())
    .action(async ({ config: file, logConnections, ...flags }) => {
      const record = recordOptions(flags);
      using watch = new FileWatch();
      await watch.watch([file]);
      // A read from a pipe or a network file system may never end. A stop does not wait for it.
      const stopped = untilAborted(io.signal);
      const config = await Promise.race([loadConfig(file), stopped]);
      if (config === undefined) return;
      const local = localAddresses();
      const roles = rolesOf(config, local);
      if (!roles.balancer && roles.backends.length === 0) {
        throw new UserError(`no address in ${file} belongs to this machine`, {
          exitCode: 1,
          hint: `this machine has ${local.join(", ")}; the file names ${
            addressesIn(config).map(formatAddress).join(", ")
          }`,
        });
      }
      // A machine that runs no balancer needs no certificates.
      const read = (inUse?: Certificates) =>
        loadListeningConfig(file, { logConnections }, Date.now(), inUse);
      const loaded = roles.balancer ? await Promise.race([read(), stopped]) : undefined;
      if (roles.balancer && loaded === undefined) return;
      startLogging(config.log, io.log);
      await runRoles({ record, reload: { file, read, watch } }, loaded, roles, config, io);
    });
}

/**
 * The roles whose addresses a machine has. A wildcard address names no machine, so it belongs to none;
 * a loopback address belongs to every machine.
 */
export function rolesOf(config: Config, local: readonly string[]): Roles {
  const mine = ({ host }: Address) => !isWildcard(host) && isLocal(host, local);
  return {
    balancer: mine(config.listen),
    backends: config.backends.filter(({ address }) => mine(address)),
  };
}

function addressesIn(config: Config): Address[] {
  return [config.listen, ...config.backends.map(({ address }) => address)];
}

async function runRoles(
  { record, reload }: Pick<ServeOptions, "record" | "reload">,
  loaded: LoadedConfig | undefined,
  { balancer, backends }: Roles,
  { log: { level }, admin }: Config,
  io: Io,
): Promise<void> {
  const names = [...balancer ? ["balancer"] : [], ...backends.map(({ id }) => id)];
  logSentence(logger("up"), "info", `this machine runs: ${names.join(", ")}`, {
    event: "roles",
    roles: names,
  });
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  const servers = backends.map(({ id, address }) => {
    const server = new BackendServer(
      id,
      { onRequest: requestLogger(id, level) },
      createRandom(seed),
    );
    const where = formatAddress(server.start(address));
    logSentence(logger("backend"), "info", `${id} listening on ${where}`, {
      event: "backend_listening",
      backend: id,
      address: where,
    });
    return server;
  });
  const faults = servers.map((server) =>
    new BackendFaults(server, { report: faultLogger(server.id) })
  );
  const apis: { stop(): Promise<void> }[] = [];
  try {
    for (const [i, one] of faults.entries()) {
      const settings = backendAdminSettings(backends[i]!.admin, admin);
      if (settings === undefined) continue;
      if (admin.tokenFile !== undefined) await prepareTokenFile(admin.tokenFile, warn);
      apis.push(await startApi(one, settings));
    }
    if (loaded !== undefined) await serveBalancer(loaded, io, { record, reload });
    else {
      // Permissions to listen and to read remain if there is an admin API: faults close and open
      // listeners, and each change reads the token.
      await giveUp("write", "sys", ...apis.length === 0 ? ["net", "read"] as const : []);
      await untilAborted(io.signal);
    }
  } finally {
    await Promise.all(apis.map((api) => api.stop()));
    await Promise.all(faults.map((one) => one.end()));
    await Promise.all(servers.map((server) => server.stop()));
    servers.forEach(logTotals);
  }
}

async function startApi(faults: BackendFaults, settings: AdminSettings) {
  const { id } = faults.server;
  const api = await startBackendAdmin(faults, settings, warn, jobsLogger(id));
  logSentence(logger("backend"), "info", `admin API of ${id} on ${api.url}`, {
    event: "admin_listening",
    backend: id,
    url: api.url,
  });
  return api;
}

function warn(sentence: string): void {
  logSentence(logger("backend"), "warning", sentence, { event: "admin_warning" });
}

function logTotals({ id, totals }: BackendServer): void {
  logSentence(logger("backend"), "info", `${id} stopped: ${totalsInWords(totals)}`, {
    event: "backend_stopped",
    backend: id,
    ...totals,
  });
}
