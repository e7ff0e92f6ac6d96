import { formatAddress } from "../lib/address.ts";
import type { Io } from "../lib/cli/io.ts";
import { monotonicNow } from "../lib/clock.ts";
import {
  certificateFiles,
  type Certificates,
  certificateWarnings,
  expiryWarning,
  type KeyPair,
} from "../lib/config/certificates.ts";
import { type Config, loadConfig, type LoadedConfig } from "../lib/config/mod.ts";
import { FileWatch } from "../lib/config/watch.ts";
import { EventStream } from "../lib/core/mod.ts";
import { formatDuration } from "../lib/duration.ts";
import { logger, logSentence } from "../lib/log.ts";
import { untilAborted } from "../lib/until_aborted.ts";
import { UserError } from "../lib/user_error.ts";
import { Balancer, type StopSummary } from "./balancer.ts";
import { logEvents } from "./event_log.ts";
import { StatusReporter } from "./status.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** How a balancer is run, besides what its configuration says. */
export interface ServeOptions {
  /** Log why a client went where it went, of every so many; left out: of none. */
  readonly explainEvery?: number | undefined;
  /**
   * Reads the configuration anew, while certificates are in use; throws a `UserError` if it is wrong. Left
   * out: it never changes.
   */
  readonly reload?:
    | { readonly file: string; readonly read: (inUse: Certificates) => Promise<LoadedConfig> }
    | undefined;
}

/**
 * Runs a balancer until the person at the terminal, or the service manager, asks it to stop; then
 * drains. What happens goes to the log, which must have been started.
 *
 * @throws {UserError} if it cannot listen.
 */
export async function serveBalancer(
  { config, certificates }: LoadedConfig,
  io: Pick<Io, "signal" | "hurry">,
  options: ServeOptions = {},
): Promise<void> {
  const { store = "memory" } = config.sticky ?? {};
  const writes = store !== "memory" && store.sqlite !== undefined;
  if (!writes) await Deno.permissions.revoke({ name: "write" });
  const log = logger("lb");
  const events = new EventStream();
  const { explainEvery } = options;
  let reloading = Promise.resolve();
  const stopLogging = logEvents(events, log, {
    ...config.log,
    explain: explainEvery !== undefined,
  });
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  const balancer = await Balancer.start(config, {
    events,
    now: monotonicNow,
    seed,
    explainEvery,
    certificates,
    signal: io.signal,
  }).catch((error) => {
    if (!io.signal.aborted || error !== io.signal.reason) throw error;
  });
  if (balancer === undefined) {
    sayStopped({ finished: 0, closed: 0 });
    stopLogging();
    return;
  }
  const status = new StatusReporter(balancer.scheduler, events, monotonicNow);
  status.logEvery(config.log.statusInterval, log);
  const { reload } = options;
  const watch = reload && new FileWatch(watchedFiles(reload.file, config), {
    changed: () => {
      reloading = reloading.then(() => reloadConfig(balancer, reload, watch!, io.signal));
    },
    failed: (reason) => {
      const { file } = reload;
      const sentence = `changes of ${file}, and of what it names, are not noticed: ${reason}; ` +
        "SIGHUP makes the balancer read them";
      logSentence(log, "warning", sentence, { event: "watch_failed", file, reason });
    },
  });
  sayListening(balancer, config);
  warnOf(certificates.listener);
  const daily = setInterval(() => {
    const { listener } = balancer.certificates;
    const warning = listener && expiryWarning(listener, Date.now());
    if (warning !== undefined) logCertificate(warning);
  }, DAY_MS);

  await untilAborted(io.signal);

  clearInterval(daily);
  watch?.close();
  const { connections } = balancer.scheduler;
  const drain = formatDuration(config.timeouts.drain);
  const draining = connections === 0
    ? "stopping"
    : `stopping: ${connections} open, waiting up to ${drain} (Ctrl-C again closes them now)`;
  logSentence(log, "info", draining, { event: "stopping", connections });
  const summary = await balancer.stop(io.hurry);
  // Its probes have been given up: there is nothing left to wait for.
  await reloading;
  sayStopped(summary);
  status.stop();
  stopLogging();
}

function sayStopped({ finished, closed }: StopSummary): void {
  logSentence(logger("lb"), "info", `stopped: ${finished} finished, ${closed} closed`, {
    event: "stopped",
    finished,
    closed,
  });
}

/** A file with mistakes in it changes nothing; nor does one that is read when there is a stop. */
async function reloadConfig(
  balancer: Balancer,
  { file, read }: NonNullable<ServeOptions["reload"]>,
  watch: FileWatch,
  stopping: AbortSignal,
): Promise<void> {
  const log = logger("lb");
  try {
    const { config, certificates, expired } = await read(balancer.certificates);
    if (stopping.aborted) return;
    watch.watch(watchedFiles(file, config));
    expired.forEach(logCertificate);
    await balancer.reload(config, certificates);
    warnOf(certificates.listener);
  } catch (error) {
    // What is to be put right may be in a file that was not named before.
    const named = await loadConfig(file).catch(() => undefined);
    if (stopping.aborted) return;
    if (named !== undefined) watch.watch(watchedFiles(file, named));
    const message = error instanceof UserError ? error.message : `a defect of lbsim: ${error}`;
    logSentence(log, "error", `${file} is not taken over, nothing changes:\n${message}`, {
      event: "reload_failed",
      file,
      reason: message,
    });
  }
}

/** The file itself, and those that it names. */
function watchedFiles(file: string, config: Config): string[] {
  return [file, ...Object.values(certificateFiles(file, config))];
}

function warnOf(pair: KeyPair | undefined): void {
  if (pair !== undefined) certificateWarnings(pair, Date.now()).forEach(logCertificate);
}

function logCertificate(warning: string): void {
  logSentence(logger("lb"), "warning", warning, { event: "certificate_warning" });
}

function sayListening({ address, scheduler }: Balancer, config: Config): void {
  const active = scheduler.activeServers;
  const { algorithm, backends } = config;
  const missing = backends.length - active.length;
  logSentence(
    logger("lb"),
    missing === 0 ? "info" : "warning",
    `listening on ${formatAddress(address)}${
      config.tls ? " by TLS" : ""
    }: ${algorithm.name} over ` +
      `${backends.map(({ id }) => id).join(" ")}; active: ${active.join(" ") || "none"}`,
    {
      event: "listening",
      address: formatAddress(address),
      algorithm: algorithm.name,
      backends: backends.map(({ id }) => id),
      active_servers: active,
    },
  );
}
