/** A lab whose backend can be hurt on demand, for tests. */
import {
  backendAdminSettings,
  BackendFaults,
  BackendServer,
  startBackendAdmin,
} from "../../backend/mod.ts";
import { createRandom } from "../../lib/base/mod.ts";
import type { EventOf } from "../../lib/core/mod.ts";
import { adminLab } from "./admin.ts";
import { configOf } from "./config.ts";
import { freePort } from "./sockets.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** A balancer and a backend with an admin API; both use one token file. B2 has no such API. */
export async function hurtableLab({ id = "B1" } = {}) {
  const folder = await Deno.makeTempDir({ prefix: "lbsim-fault-" });
  const tokenFile = `${folder}/admin.token`;
  const server = new BackendServer(id, {}, createRandom(1));
  const address = server.start(LOOPBACK);
  const faults = new BackendFaults(server);
  const admin = { host: "127.0.0.1", port: freePort() };
  const settings = backendAdminSettings(admin, { hosts: [], tokenFile })!;
  const api = await startBackendAdmin(faults, settings, () => {});
  const [b1, b2] = configOf([address, { host: "127.0.0.1", port: 9 }]).backends;
  const lab = await adminLab({
    admin: { tokenFile },
    config: { backends: [{ ...b1!, admin }, b2!] },
  });
  const events: EventOf<"backend_fault_began" | "backend_fault_ended">[] = [];
  lab.events.subscribe(
    "test",
    ["backend_fault_began", "backend_fault_ended"],
    (event) => events.push(event),
  );
  const token = (await Deno.readTextFile(tokenFile)).trim();
  return {
    ...{ lab, faults, api, address, events, tokenFile },
    change: (method: string, path: string, body?: unknown) => lab.change(method, path, body, token),
    fault: async () =>
      (await lab.get("/api/status")).json.backends.map((one: { fault?: string }) => one.fault),
    async [Symbol.asyncDispose]() {
      await lab[Symbol.asyncDispose]();
      await api.stop();
      await faults.end();
      await server.kill();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
