import { dirname } from "node:path";
import { formatAddress, formatDuration, UserError } from "../lib/base/mod.ts";
import { type Io, logger, logSentence } from "../lib/cli/mod.ts";
import { type FileWatch, keepWritingTo, monotonicNow, untilAborted } from "../lib/io/mod.ts";
import { type Config, DiagnosticsError } from "../lib/config/mod.ts";
import {
  certificateFiles,
  type Certificates,
  certificateWarnings,
  expiryWarning,
  type KeyPair,
  type LoadedConfig,
  UnreadableError,
} from "../lib/files/mod.ts";
import { EventStream } from "../lib/core/mod.ts";
import { Admin, adminDirectories, prepareAdmin } from "./admin/mod.ts";
import { Balancer, type StopSummary } from "./balancer.ts";
import { explainNow } from "./explain.ts";
import { LiveMonitor } from "./live_monitor.ts";
import { idsInShort } from "../lib/observe/mod.ts";
import { logEvents, logReaderFailure } from "./event_log.ts";
import { linkedFile } from "./sessions/mod.ts";
import { Recorder, recordingPaths, type RecordOptions } from "./recording/mod.ts";
import { StatusReporter } from "./status.ts";
import { tracesOf } from "./traces.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Options for running a balancer, besides its configuration. */
export interface ServeOptions {
  /** Every n-th pick is explained in the log; no pick if left out. */
  readonly explainEvery?: number | undefined;
  /** Records the run; undefined: it is not recorded. */
  readonly record?: RecordOptions | undefined;
  /** Reads the configuration again while certificates are in use. Throws a `UserError` if it is invalid. */
  readonly reload: {
    readonly file: string;
    /** Has watched the file since before it was read: a change or a SIGHUP during the start is not lost. */
    readonly watch: FileWatch;
    readonly read: (inUse: Certificates) => Promise<LoadedConfig>;
  };
}

/**
 * Runs a balancer until the user or the service manager asks it to stop; then drains it. Events go to the
 * log, which must have been started.
 *
 * @throws {UserError} if it cannot listen, or can accept no more clients.
 */
export async function serveBalancer(
  { config, certificates }: LoadedConfig,
  { signal, hurry }: Pick<Io, "signal" | "hurry">,
  { explainEvery, record, reload }: ServeOptions,
): Promise<void> {
  const log = logger("lb");
  const warn = (sentence: string) =>
    logSentence(log, "warning", sentence, { event: "admin_warning" });
  await prepareAdmin(config.admin, warn);
  await keepWritingTo([
    ...writtenDirectories(config),
    ...adminDirectories(config.admin),
    ...record === undefined ? [] : recordingPaths(record.file, record),
  ]);
  // The start may take as long as a probe. Files that change during the start are applied after it.
  const { watch } = reload;
  await watch.watch(watchedFiles(reload.file, config));
  const events = new EventStream((failure) => logReaderFailure(log, failure));
  const stopLogging = logEvents(events, log, {
    ...config.log,
    explain: explainEvery !== undefined,
  });
  const recorder = record && await Recorder.start({ ...record, events, now: monotonicNow, log });
  const monitor = new LiveMonitor(events, monotonicNow);
  const traces = await tracesOf(events);
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  const balancer = await Balancer.start(config, {
    events,
    now: monotonicNow,
    monitor: monitor.monitor,
    seed,
    explainEvery,
    certificates,
    signal,
  }).catch(async (error) => {
    if (signal.aborted && error === signal.reason) return;
    await recorder?.stop();
    throw error;
  });
  if (balancer === undefined) {
    await recorder?.stop();
    sayStopped({ finished: 0, closed: 0 });
    stopLogging();
    return;
  }
  monitor.start(balancer);
  traces?.start(balancer);
  const status = new StatusReporter(() => monitor.snapshot());
  status.logEvery(config.log.statusInterval, log);
  sayListening(balancer);
  if (record !== undefined) sayRecording(record);
  warnOfDescriptors(config, monitor);
  warnOf(certificates.listener);
  const daily = setInterval(() => warnOfExpiry(balancer.certificates.listener), DAY_MS);
  const failed = new AbortController();
  const stopping = AbortSignal.any([signal, failed.signal]);
  const reloadNow = inTurn(() => reloadConfig(balancer, reload, stopping));
  balancer.accepting.catch((error) => failed.abort(error));
  const admin = await Admin.start({
    ...{ config: config.admin, balancer, monitor, events, now: monotonicNow, warn },
    explain: (client) => explainNow(balancer, client, monotonicNow()),
    reload: () => reloadForOperator(reload.file, reloadNow),
  }).catch((error) => failed.abort(error));
  if (admin !== undefined) sayAdminListening(admin);
  const following = followFiles(reload.file, reloadNow, watch, stopping);

  await untilAborted(stopping);

  clearInterval(daily);
  sayStopping(balancer);
  const summary = await balancer.stop(hurry);
  // The stop has cancelled the probes of a reload in progress, so this reload ends soon.
  await following;
  await admin?.stop();
  await recorder?.stop();
  status.logTotals(log);
  sayStopped(summary);
  status.stop();
  monitor.stop();
  traces?.stop();
  stopLogging();
  failed.signal.throwIfAborted();
}

/** The directories that are written to. SQLite creates files beside the file for the sessions. */
function writtenDirectories({ sticky }: Config): string[] {
  const { store = "memory" } = sticky ?? {};
  return store !== "memory" && store.sqlite !== undefined
    ? [dirname(linkedFile(store.sqlite))]
    : [];
}

/** Reads the files and applies them. Returns why they were not applied; undefined if they were. */
type Reload = () => Promise<string | undefined>;

/** Makes reloads run one after the other. */
function inTurn(reload: Reload): Reload {
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const next = last.then(reload);
    last = next;
    return next;
  };
}

/** Reloads the configuration whenever its files change, until the balancer stops. */
async function followFiles(
  file: string,
  reload: Reload,
  watch: FileWatch,
  stopping: AbortSignal,
): Promise<void> {
  let failure: string | undefined;
  while (await watch.changed(stopping)) {
    const before = failure;
    failure = await reload();
    // If repeated attempts fail for the same reason, it is reported once.
    if (failure !== undefined && failure !== before) sayNotTakenOver(file, failure);
  }
}

async function reloadForOperator(file: string, reload: Reload): Promise<string | undefined> {
  const failure = await reload();
  if (failure !== undefined) sayNotTakenOver(file, failure);
  return failure;
}

/**
 * An invalid file is rejected, and the running configuration stays. A file that is read while the balancer
 * stops is ignored.
 *
 * @returns Why the configuration was not applied.
 */
async function reloadConfig(
  balancer: Balancer,
  { file, read, watch }: ServeOptions["reload"],
  stopping: AbortSignal,
): Promise<string | undefined> {
  try {
    // A read from a pipe or a network file system may never end. A stop does not wait for it.
    const loaded = await Promise.race([read(balancer.certificates), untilAborted(stopping)]);
    if (loaded === undefined) return undefined;
    const { config, certificates, expired } = loaded;
    await watch.watch(watchedFiles(file, config));
    if (stopping.aborted) return undefined;
    expired.forEach(logCertificate);
    await balancer.reload(config, certificates);
    warnOf(certificates.listener);
    return undefined;
  } catch (error) {
    if (error instanceof UnreadableError) watch.again();
    // The mistake may be in a file that was not watched before.
    if (error instanceof DiagnosticsError && error.files.length > 0) {
      await watch.watch([file, ...error.files]);
    }
    if (stopping.aborted) return undefined;
    return error instanceof UserError ? error.message : `a defect of lbsim: ${error}`;
  }
}

function sayNotTakenOver(file: string, reason: string): void {
  const sentence = `reload of ${file} failed, the running configuration stays:`;
  const properties = { event: "reload_failed", file, reason };
  logSentence(logger("lb"), "error", sentence, properties, { details: reason.split("\n") });
}

/** The configuration file, and the files that it names. */
function watchedFiles(file: string, config: Config): string[] {
  return [file, ...Object.values(certificateFiles(file, config))];
}

/** At most this many descriptors are counted: counting more would delay the start. */
const DESCRIPTORS_COUNTED_MAX = 65_600;

function warnOfDescriptors({ limits: { connections } }: Config, monitor: LiveMonitor): void {
  const needed = 2 * connections;
  const counted = Math.min(needed, DESCRIPTORS_COUNTED_MAX);
  const left = monitor.countDescriptors(counted) ?? counted;
  if (left === counted) return;
  logSentence(
    logger("lb"),
    "warning",
    `limits.connections: ${connections} needs ${needed} file descriptors, two for each connection; this ` +
      `process can open only ${left} more. Raise the limit with \`ulimit -n\`, or set ` +
      `limits.connections to ${Math.floor(left / 2)} or less`,
    { event: "descriptor_warning", needed, left },
  );
}

function warnOf(pair: KeyPair | undefined): void {
  if (pair !== undefined) certificateWarnings(pair, Date.now()).forEach(logCertificate);
}

function warnOfExpiry(pair: KeyPair | undefined): void {
  const warning = pair && expiryWarning(pair, Date.now());
  if (warning !== undefined) logCertificate(warning);
}

function logCertificate(warning: string): void {
  logSentence(logger("lb"), "warning", warning, { event: "certificate_warning" });
}

function sayListening({ address, scheduler, config }: Balancer): void {
  const active = scheduler.activeServers;
  const { algorithm, backends } = config;
  const missing = backends.length - active.length;
  logSentence(
    logger("lb"),
    missing === 0 ? "info" : "warning",
    `listening on ${formatAddress(address)}${
      config.tls ? " with TLS" : ""
    }: ${algorithm.name} over ` +
      `${idsInShort(backends.map(({ id }) => id))}; active: ${idsInShort(active)}`,
    {
      event: "listening",
      address: formatAddress(address),
      algorithm: algorithm.name,
      backends: backends.map(({ id }) => id),
      active_servers: active,
    },
  );
}

function sayRecording({ file, maxBytes, files }: RecordOptions): void {
  const bounds = `at most ${files} ${files === 1 ? "file" : "files"} of ${
    (maxBytes / 1024 ** 2).toPrecision(3)
  } MB`;
  const properties = { event: "recording", file, max_bytes: maxBytes, files };
  logSentence(logger("lb"), "info", `recording to ${file}: ${bounds}`, properties);
}

function sayAdminListening({ url }: Admin): void {
  const what = url.startsWith("unix:") ? "admin API" : "dashboard and admin API";
  logSentence(logger("lb"), "info", `${what} on ${url}`, { event: "admin_listening", url });
}

function sayStopping({ scheduler: { connections }, config: { timeouts } }: Balancer): void {
  const sentence = connections === 0
    ? "stopping"
    : `stopping: ${connections} open ${
      connections === 1 ? "connection" : "connections"
    } may finish within ${formatDuration(timeouts.drain)} ` +
      "(Ctrl-C again closes them now)";
  logSentence(logger("lb"), "info", sentence, { event: "stopping", connections });
}

function sayStopped({ finished, closed }: StopSummary): void {
  logSentence(
    logger("lb"),
    "info",
    `stopped: ${finished} connections finished by themselves, and the balancer closed ${closed}`,
    {
      event: "stopped",
      finished,
      closed,
    },
  );
}
