import * as z from "zod";
import {
  type AdminSettings,
  BadRequest,
  bodyOf,
  json,
  routed,
  type Routes,
  startAdmin,
  TokenFile,
  type Warn,
} from "../lib/admin/mod.ts";
import { faultBody, type FaultsAnswer, type ServiceAnswer, serviceBody } from "../lib/api/mod.ts";
import { NS_PER_MS, VERSION } from "../lib/base/mod.ts";
import { type Config, serverFaultOf, serverKeys } from "../lib/config/mod.ts";
import { faultWords, writtenFault } from "../lib/fault/mod.ts";
import { monotonicNow } from "../lib/io/mod.ts";
import type { BackendFaults } from "./faults.ts";
import { BackendServer } from "./server.ts";
import { BackendJobs, type JobsChange, OtherJobs } from "./jobs.ts";

/** The settings of a backend's admin API; undefined if it has none. */
export function backendAdminSettings(
  listen: AdminSettings["listen"] | undefined,
  { hosts, tokenFile, tls }: Pick<Config["admin"], "hosts" | "tokenFile" | "tls">,
): AdminSettings | undefined {
  if (listen === undefined) return undefined;
  const token = tokenFile === undefined ? undefined : new TokenFile(tokenFile);
  return { listen, hosts, token, tls };
}

/** The admin API of a backend while it runs. */
export interface BackendAdmin {
  readonly url: string;
  /** Also ends the service of a scenario, if the backend serves one. */
  stop(): Promise<void>;
}

/**
 * Starts the admin API of a backend. It shows, begins and ends the backend's faults, and it lets the backend serve a
 * scenario.
 *
 * @param report Called when the backend begins to serve a scenario, and when it stops.
 * @throws {UserError} if it cannot listen.
 */
export async function startBackendAdmin(
  faults: BackendFaults,
  settings: AdminSettings,
  warn: Warn,
  report: (change: JobsChange) => void = () => {},
): Promise<BackendAdmin> {
  const { server: backend } = faults;
  // Only a `BackendServer` can begin to serve a scenario: the backends of a live run serve one from their start.
  const jobs = backend instanceof BackendServer ? new BackendJobs(backend, report) : undefined;
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
    ...jobs !== undefined && { "/api/service": serviceRoutes(jobs) },
  });
  const server = await startAdmin(settings, api, warn);
  return {
    url: server.url,
    async stop() {
      await server.stop();
      await jobs?.end();
    },
  };
}

/** Lets the backend serve a scenario. */
function serviceRoutes(jobs: BackendJobs): Routes[string] {
  return {
    GET: () => json(serviceOf(jobs)),
    PUT: async (request) => {
      const { for: duration, ...options } = bodyOf(serviceBody, request);
      await jobs.begin(options, duration).catch((error) => {
        throw error instanceof OtherJobs ? new BadRequest(error.message, 409) : error;
      });
      return json(serviceOf(jobs));
    },
    DELETE: async () => {
      await jobs.end();
      return json(serviceOf(jobs));
    },
  };
}

function answerOf(faults: BackendFaults): FaultsAnswer {
  const { server, active } = faults;
  const now = faults.now();
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

const serviceSchema = z.strictObject(serverKeys);

function serviceOf({ server, active }: BackendJobs): ServiceAnswer {
  return {
    backend: server.id,
    version: VERSION,
    service: active === undefined ? null : {
      ...z.encode(serviceSchema, active.options) as ServiceSettings,
      run: active.run,
      ends_in_ms: Math.max(0, active.until - monotonicNow()) / NS_PER_MS,
      busy_ms: active.busyTime / NS_PER_MS,
      waiting_ms: active.waitingTime / NS_PER_MS,
    },
  };
}

type ServiceSettings = Pick<NonNullable<ServiceAnswer["service"]>, keyof typeof serverKeys>;
