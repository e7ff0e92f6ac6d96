import {
  type AdminServer,
  PortInUse,
  prepareTokenFile,
  startAdmin,
  type Token,
  TokenFile,
} from "../../lib/admin/mod.ts";
import { parseAddress, UserError } from "../../lib/base/mod.ts";
import { type AdminListen, type Config, DEFAULT_ADMIN_LISTEN } from "../../lib/config/mod.ts";
import type { EventStream } from "../../lib/core/mod.ts";
import type { Clock } from "../../lib/io/mod.ts";
import { apiOf } from "./api.ts";
import { BackendFaultsForwarder } from "./backend_faults.ts";
import { EventFeed } from "./event_feed.ts";
import { FrameFeed } from "./frame_feed.ts";
import type { AdminMonitor, AdminSubject, ExplainClient } from "./subject.ts";

type AdminConfig = Config["admin"];

/** The balancer that the admin API shows and changes, and the API's settings. */
export interface AdminOptions {
  readonly config: AdminConfig;
  /** The token that is needed for changes; if left out, the one in the token file of the configuration. */
  readonly token?: Token | undefined;
  readonly balancer: AdminSubject;
  readonly monitor: AdminMonitor;
  readonly explain: ExplainClient;
  readonly events: EventStream;
  readonly now: Clock;
  /** Reads the files again. Returns why they were rejected; undefined if they were applied. */
  readonly reload: () => Promise<string | undefined>;
  /** Called with one sentence for each warning. */
  readonly warn: (sentence: string) => void;
}

/**
 * Prepares the admin API while the process may still write files: creates the token file, and removes an old socket.
 *
 * @throws {UserError} if the token file cannot be created, or the socket cannot be removed.
 */
export async function prepareAdmin(config: AdminConfig, warn: AdminOptions["warn"]): Promise<void> {
  const listen = listenOf(config);
  if (listen === "off") return;
  const { tokenFile } = config;
  if (tokenFile !== undefined) await prepareTokenFile(tokenFile, warn);
  if ("path" in listen) await removeStaleSocket(listen.path);
}

/** The directories that the admin API writes to while it runs. */
export function adminDirectories(config: AdminConfig): string[] {
  const listen = listenOf(config);
  return listen !== "off" && "path" in listen ? [listen.path] : [];
}

/** A part of the API that runs until it is stopped. */
interface Part {
  /** The number of readers of streams that have no end. */
  readonly readers?: number;
  stop(): void;
}

/** The admin API of a live balancer: its server and its streams of events and frames. */
export class Admin {
  readonly #server: AdminServer;
  readonly #parts: readonly Part[];

  /**
   * @returns Undefined if the API is off, or if the default port is in use and the configuration sets no port.
   * @throws {UserError} if it cannot listen where the configuration says.
   */
  static async start(options: AdminOptions): Promise<Admin | undefined> {
    const { config, balancer, monitor, explain, events, now, reload, warn } = options;
    const listen = listenOf(config);
    if (listen === "off") return undefined;
    const { tokenFile, hosts, tls } = config;
    const token = options.token ??
      (tokenFile === undefined ? undefined : new TokenFile(tokenFile));
    const eventFeed = new EventFeed(events, String(monitor.snapshot().epoch_ms));
    const frameFeed = new FrameFeed(() => monitor.frame());
    const backendFaults = new BackendFaultsForwarder({
      ...{ admin: config, token, events, now },
      backends: () => balancer.config.backends,
    });
    const context = {
      backendFaults,
      balancer,
      monitor,
      explain,
      events,
      eventFeed,
      frameFeed,
      now,
      reload,
    };
    try {
      const server = await startAdmin({ listen, hosts, token, tls }, apiOf(context), warn);
      return new Admin(server, [eventFeed, frameFeed, backendFaults]);
    } catch (error) {
      eventFeed.stop();
      backendFaults.stop();
      if (!(error instanceof PortInUse) || config.listen !== undefined) throw error;
      warn(
        `${error.message}; the balancer runs without the API. Set admin.listen to another port, or off`,
      );
      return undefined;
    }
  }

  private constructor(server: AdminServer, parts: readonly Part[]) {
    this.#server = server;
    this.#parts = parts;
  }

  /** Its address: `http://127.0.0.1:9900`, or `unix:/path`. */
  get url(): string {
    return this.#server.url;
  }

  /** The number of readers of events and frames. */
  get readers(): number {
    return this.#parts.reduce((sum, { readers = 0 }) => sum + readers, 0);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    this.#parts.forEach((part) => part.stop());
  }
}

function listenOf({ listen }: AdminConfig): AdminListen {
  return listen ?? parseAddress(DEFAULT_ADMIN_LISTEN);
}

/** Removes the socket of a balancer that was killed. The socket of a running balancer stays. */
async function removeStaleSocket(path: string): Promise<void> {
  try {
    const { isSocket } = await Deno.lstat(path);
    if (!isSocket) {
      throw new UserError(`the admin API cannot listen on unix:${path}: this file exists already`);
    }
    try {
      (await Deno.connect({ transport: "unix", path })).close();
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) await Deno.remove(path);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
