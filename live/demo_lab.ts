import {
  type BackendAdmin,
  backendAdminSettings,
  BackendFaults,
  type BackendServer,
  startBackendAdmin,
} from "../backend/mod.ts";
import { Admin, type Balancer, explainNow, type LiveMonitor } from "../lb/mod.ts";
import { MemoryToken } from "../lib/admin/mod.ts";
import { type Address, parseAddress } from "../lib/base/mod.ts";
import type { EventStream } from "../lib/core/mod.ts";
import type { Clock } from "../lib/io/mod.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** A backend's faults, and the admin API that begins and ends them. */
interface HurtableBackend {
  readonly faults: BackendFaults;
  readonly server: BackendAdmin;
}

/** The admin APIs of a demo's backends. They accept a token that is only in the memory of this process. */
export class DemoFaults {
  readonly token: MemoryToken;
  readonly #apis: readonly HurtableBackend[];

  static async start(servers: Iterable<BackendServer>): Promise<DemoFaults> {
    const token = new MemoryToken();
    const settings = { ...backendAdminSettings(LOOPBACK, { hosts: [] })!, token };
    const apis = await Promise.all([...servers].map(async (backend) => {
      const faults = new BackendFaults(backend);
      return { faults, server: await startBackendAdmin(faults, settings, () => {}) };
    }));
    return new DemoFaults(token, apis);
  }

  private constructor(token: MemoryToken, apis: readonly HurtableBackend[]) {
    this.token = token;
    this.#apis = apis;
  }

  /** Where the API of each backend listens. */
  get addresses(): ReadonlyMap<string, Address> {
    return new Map(
      this.#apis.map(({ faults, server }) => [
        faults.server.id,
        parseAddress(new URL(server.url).host),
      ]),
    );
  }

  /** Ends all faults. */
  async end(): Promise<void> {
    await Promise.all(this.#apis.map(({ faults }) => faults.end()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#apis.map(({ server }) => server.stop()));
    await this.end();
  }
}

/** Starts the dashboard of a demo on any port of loopback. */
export async function startDashboard(
  balancer: Balancer,
  { events, monitor, now, token }: {
    readonly events: EventStream;
    readonly monitor: LiveMonitor;
    readonly now: Clock;
    readonly token: MemoryToken;
  },
): Promise<Admin> {
  const admin = await Admin.start({
    config: { ...balancer.config.admin, listen: LOOPBACK },
    ...{ balancer, monitor, events, now, token },
    explain: (client) => explainNow(balancer, client, now()),
    reload: () => Promise.resolve("the demo has no configuration file"),
    warn: () => {},
  });
  return admin!;
}
