import {
  type BackendAdmin,
  backendAdminSettings,
  type BackendFaults,
  startBackendAdmin,
} from "../backend/mod.ts";
import { Admin, type Balancer, explainNow, LiveMonitor } from "../lb/mod.ts";
import { MemoryToken } from "../lib/admin/mod.ts";
import { type Address, parseAddress } from "../lib/base/mod.ts";
import type { EventStream } from "../lib/core/mod.ts";
import type { Clock } from "../lib/io/mod.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/**
 * The dashboard of a live run, on any port of loopback, and the admin APIs of its backends, with which the
 * dashboard begins and ends faults. They accept a token that is only in the memory of this process.
 */
export class LabDashboard {
  /** Where the admin API of each backend listens. */
  readonly backends: readonly Address[];
  /** Observes the balancer. */
  readonly monitor: LiveMonitor;
  readonly #token: MemoryToken;
  readonly #servers: readonly BackendAdmin[];
  readonly #events: EventStream;
  readonly #now: Clock;
  #admin: Admin | undefined;

  /** @throws {UserError} if it cannot listen. */
  static async open(
    faults: readonly BackendFaults[],
    events: EventStream,
    now: Clock,
  ): Promise<LabDashboard> {
    const token = new MemoryToken();
    const settings = { ...backendAdminSettings(LOOPBACK, { hosts: [] })!, token };
    const servers = await Promise.all(
      faults.map((one) => startBackendAdmin(one, settings, () => {})),
    );
    return new LabDashboard(token, servers, events, now);
  }

  private constructor(
    token: MemoryToken,
    servers: readonly BackendAdmin[],
    events: EventStream,
    now: Clock,
  ) {
    this.#token = token;
    this.#servers = servers;
    this.#events = events;
    this.#now = now;
    this.backends = servers.map(({ url }) => parseAddress(new URL(url).host));
    this.monitor = new LiveMonitor(events, now);
  }

  /** The token for the buttons. */
  get token(): string {
    return this.#token.value;
  }

  /**
   * Serves the page for a balancer, which was started with `monitor`. Resolves to the address of
   * the page.
   */
  async serve(balancer: Balancer): Promise<string> {
    this.monitor.start(balancer);
    this.#admin = await Admin.start({
      config: { ...balancer.config.admin, listen: LOOPBACK },
      ...{ balancer, monitor: this.monitor, events: this.#events },
      ...{ now: this.#now, token: this.#token },
      explain: (client) => explainNow(balancer, client, this.#now()),
      reload: () => Promise.resolve("a live scenario has no configuration file"),
      warn: () => {},
    });
    return this.#admin!.url;
  }

  async stop(): Promise<void> {
    await this.#admin?.stop();
    await Promise.all(this.#servers.map((server) => server.stop()));
    this.monitor.stop();
  }
}
