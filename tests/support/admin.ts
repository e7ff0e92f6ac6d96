/** A live balancer with its admin API, for tests. */
import * as z from "zod";
import type { Address } from "../../lib/base/address.ts";
import { monotonicNow } from "../../lib/io/clock.ts";
import type { Config } from "../../lib/config/mod.ts";
import { Admin, prepareAdmin } from "../../lb/admin/mod.ts";
import { Balancer } from "../../lb/balancer.ts";
import { explainNow } from "../../lb/explain.ts";
import { LiveMonitor } from "../../lb/live_monitor.ts";
import openapi from "../../docs/openapi.json" with { type: "json" };
import { dashboardAsset } from "../../web/mod.ts";
import { TIMEOUTS, UNPROBED } from "./balance.ts";
import { configOf } from "./config.ts";
import { strictEventStream } from "./events.ts";

interface Description {
  readonly paths: Record<
    string,
    Record<string, {
      readonly responses: Record<string, {
        readonly content: Record<string, { readonly schema: Record<string, unknown> }>;
      }>;
    }>
  >;
  readonly components: { readonly schemas: Record<string, unknown> };
}

const OPENAPI = openapi as unknown as Description;

/** What a test says differently. */
export interface AdminLabOptions {
  readonly backends?: readonly Address[];
  readonly config?: Partial<Config>;
  readonly admin?: Partial<Config["admin"]>;
  readonly reload?: (balancer: Balancer) => Promise<string | undefined>;
}

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** A balancer that probes nothing, with its admin API on any port of loopback and a token file. */
export async function adminLab(options: AdminLabOptions = {}) {
  const { backends = [{ host: "127.0.0.1", port: 9 }], reload = () => Promise.resolve(undefined) } =
    options;
  const folder = await Deno.makeTempDir({ prefix: "lbsim-admin-" });
  const tokenFile = `${folder}/admin.token`;
  const admin = { listen: LOOPBACK, hosts: [], tokenFile, ...options.admin };
  const config = configOf(backends, { timeouts: TIMEOUTS, ...UNPROBED, ...options.config, admin });
  const warnings: string[] = [];
  const warn = (sentence: string) => void warnings.push(sentence);
  const events = strictEventStream();
  const monitor = new LiveMonitor(events, monotonicNow);
  await prepareAdmin(config.admin, warn);
  const balancer = await Balancer.start(config, {
    events,
    now: monotonicNow,
    seed: 1,
    monitor: monitor.monitor,
  });
  monitor.start(balancer);
  const api = await Admin.start({
    config: config.admin,
    balancer,
    monitor,
    events,
    now: monotonicNow,
    explain: (client) => explainNow(balancer, client, monotonicNow()),
    reload: () => reload(balancer),
    warn,
  });
  const url = api?.url ?? "";
  const token = await Deno.readTextFile(tokenFile).then((text) => text.trim(), () => "");
  return {
    ...{ balancer, monitor, events, config, warnings, folder, tokenFile, token, url },
    /** Where the API listens. */
    address: {
      hostname: new URL(url || "http://x").hostname,
      port: Number(new URL(url || "http://x").port),
    },
    /** Asks as a script of the operator does: with the token, and with a body of JSON. */
    async change(
      method: string,
      path: string,
      body?: unknown,
      presented = token,
    ): Promise<Asked> {
      return await ask(`${url}${path}`, {
        method,
        headers: { "Authorization": `Bearer ${presented}`, "Content-Type": "application/json" },
        ...body !== undefined && { body: JSON.stringify(body) },
      });
    },
    get: (path: string, headers: Record<string, string> = {}): Promise<Asked> =>
      ask(`${url}${path}`, { headers }),
    /** The number of readers of events and frames. */
    readers: () => api?.readers ?? 0,
    /** Stops the API; the balancer goes on. */
    stopAdmin: () => api?.stop(),
    async [Symbol.asyncDispose]() {
      await api?.stop();
      await balancer.stop(AbortSignal.abort());
      monitor.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** An answer, read to its end. */
export interface Asked {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any
  readonly json: any;
}

/** Asks and reads the answer. */
export async function ask(url: string, init: RequestInit = {}): Promise<Asked> {
  const response = await fetch(url, init);
  const text = await response.text();
  const isJson = response.headers.get("Content-Type") === "application/json";
  const { status, headers } = response;
  const answer = { status, text, headers, json: isJson ? JSON.parse(text) : undefined };
  if (response.headers.has("Content-Security-Policy")) {
    checkAgainstDescription(init.method ?? "GET", new URL(url).pathname, answer);
  }
  return answer;
}

const { paths, components } = OPENAPI;

/**
 * Holds an answer of the admin API to its OpenAPI description.
 *
 * @throws {Error} if the description says otherwise.
 */
function checkAgainstDescription(method: string, path: string, { status, headers, json }: Asked) {
  const operation = Object.entries(paths).find(([template]) =>
    new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path)
  )?.[1][method.toLowerCase()];
  if (operation === undefined) {
    // The page's own files are no part of the API.
    if (status === 200 && dashboardAsset(path) !== undefined) return;
    // What is described nowhere is refused: before anything else if it lacks the token.
    if (![401, 403, 404, 405, 415, 421].includes(status)) {
      throw new Error(`${method} ${path}: ${status}`);
    }
    return FAILURE.parse(json);
  }
  const described = operation.responses[status];
  if (described === undefined) throw new Error(`${method} ${path}: ${status} is not described`);
  const [type] = headers.get("Content-Type")!.split(";");
  const content = described.content[type!];
  if (content === undefined) throw new Error(`${method} ${path}: ${type} is not described`);
  if (json === undefined) return;
  if (content.schema.$ref !== undefined) FAILURE.parse(json);
  else z.fromJSONSchema(content.schema as never).parse(json);
}

const FAILURE = z.fromJSONSchema(components.schemas.Failure as never);

/** Sends these bytes on a connection of their own, and reads what comes until it is closed. */
export async function raw(
  address: Deno.ConnectOptions | Deno.UnixConnectOptions,
  request: string,
): Promise<string> {
  const connection = await Deno.connect(address as Deno.ConnectOptions);
  try {
    await connection.write(new TextEncoder().encode(request));
    let text = "";
    for await (const part of connection.readable) text += new TextDecoder().decode(part);
    return text;
  } finally {
    try {
      connection.close();
    } catch {
      // The stream has closed it.
    }
  }
}
