import {
  type AdminServer,
  type AdminSettings,
  bodyOf,
  json,
  routed,
  startAdmin,
  TokenFile,
  type Warn,
} from "../lib/admin/mod.ts";
import { faultBody, type FaultsAnswer } from "../lib/api/mod.ts";
import { NS_PER_MS } from "../lib/base/mod.ts";
import { type Config, serverFaultOf } from "../lib/config/mod.ts";
import { faultWords, writtenFault } from "../lib/fault/mod.ts";
import { monotonicNow } from "../lib/io/mod.ts";
import type { BackendFaults } from "./faults.ts";

/** The settings of a backend's admin API; undefined if it has none. */
export function backendAdminSettings(
  listen: AdminSettings["listen"] | undefined,
  { hosts, tokenFile, tls }: Pick<Config["admin"], "hosts" | "tokenFile" | "tls">,
): AdminSettings | undefined {
  if (listen === undefined) return undefined;
  const token = tokenFile === undefined ? undefined : new TokenFile(tokenFile);
  return { listen, hosts, token, tls };
}

/**
 * Starts the admin API of a backend: it tells the backend's faults, begins and ends them.
 *
 * @throws {UserError} if it cannot listen.
 */
export async function startBackendAdmin(
  faults: BackendFaults,
  settings: AdminSettings,
  warn: Warn,
): Promise<AdminServer> {
  const answer = () => json(answerOf(faults));
  const api = routed({
    "/api/fault": {
      GET: answer,
      PUT: async (request) => {
        const { kind, for: duration } = bodyOf(faultBody, request);
        await faults.replace(serverFaultOf(kind), duration);
        return answer();
      },
      DELETE: async () => {
        await faults.end();
        return answer();
      },
    },
  });
  return await startAdmin(settings, api, warn);
}

function answerOf({ server, active }: BackendFaults): FaultsAnswer {
  const now = monotonicNow();
  return {
    backend: server.id,
    faults: active.map(({ fault, since, until }) => ({
      kind: writtenFault(fault),
      fault: faultWords(fault),
      for_ms: until === Infinity ? null : (until - since) / NS_PER_MS,
      ends_in_ms: until === Infinity ? null : Math.max(0, until - now) / NS_PER_MS,
    })),
  };
}
