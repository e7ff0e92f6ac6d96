import { formatAddress } from "../lib/address.ts";
import type { Io } from "../lib/cli/io.ts";
import { monotonicNow } from "../lib/clock.ts";
import type { Config } from "../lib/config/mod.ts";
import { EventStream } from "../lib/core/mod.ts";
import { formatDuration } from "../lib/duration.ts";
import { logger, logSentence } from "../lib/log.ts";
import { Balancer } from "./balancer.ts";
import { logEvents } from "./event_log.ts";
import { StatusReporter } from "./status.ts";

/** How a balancer is run, besides what its configuration says. */
export interface ServeOptions {
  /** Log why a client went where it went, of every so many; left out: of none. */
  readonly explainEvery?: number | undefined;
}

/**
 * Runs a balancer until the person at the terminal, or the service manager, asks it to stop; then
 * drains. What happens goes to the log, which must have been started.
 *
 * @throws {UserError} if it cannot listen.
 */
export async function serveBalancer(
  config: Config,
  io: Pick<Io, "signal" | "hurry">,
  options: ServeOptions = {},
): Promise<void> {
  const log = logger("lb");
  const events = new EventStream();
  const { explainEvery } = options;
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
  });
  const status = new StatusReporter(balancer.scheduler, events, monotonicNow);
  status.logEvery(config.log.statusInterval, log);
  sayListening(balancer, config);

  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    else io.signal.addEventListener("abort", () => resolve(), { once: true });
  });

  const { connections } = balancer.scheduler;
  const drain = formatDuration(config.timeouts.drain);
  const draining = connections === 0
    ? "stopping"
    : `stopping: ${connections} open, waiting up to ${drain} (Ctrl-C again closes them now)`;
  logSentence(log, "info", draining, { event: "stopping", connections });
  const { finished, closed } = await balancer.stop(io.hurry);
  logSentence(log, "info", `stopped: ${finished} finished, ${closed} closed`, {
    event: "stopped",
    finished,
    closed,
  });
  status.stop();
  stopLogging();
}

function sayListening({ address, scheduler }: Balancer, config: Config): void {
  const active = scheduler.activeServers;
  const { algorithm, backends } = config;
  const missing = backends.length - active.length;
  logSentence(
    logger("lb"),
    missing === 0 ? "info" : "warning",
    `listening on ${formatAddress(address)}: ${algorithm.name} over ` +
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
