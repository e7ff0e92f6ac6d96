import * as z from "zod";
import {
  type Api,
  type ApiAnswer,
  type ApiRequest,
  BadRequest,
  bodyOf,
  failure,
  json,
  routed,
} from "../../lib/admin/mod.ts";
import { canonicalIp, UserError } from "../../lib/base/mod.ts";
import { type BackendWish, type Wishes, writtenConfig } from "../../lib/config/mod.ts";
import { type EventStream, toMs } from "../../lib/core/mod.ts";
import type { Clock } from "../../lib/io/mod.ts";
import { digestOf, metricsText } from "../../lib/observe/mod.ts";
import { algorithmBody, explainBody, stateBody, weightBody } from "../../lib/api/mod.ts";
import type { BackendFaultsForwarder } from "./backend_faults.ts";
import type { EventFeed } from "./event_feed.ts";
import type { FrameFeed } from "./frame_feed.ts";
import type { AdminMonitor, AdminSubject, ExplainClient } from "./subject.ts";

/** The balancer, and the functions with which the API shows and changes it. */
export interface ApiContext {
  readonly balancer: AdminSubject;
  readonly monitor: AdminMonitor;
  readonly explain: ExplainClient;
  readonly events: EventStream;
  readonly eventFeed: EventFeed;
  readonly frameFeed: FrameFeed;
  readonly backendFaults: BackendFaultsForwarder;
  readonly now: Clock;
  /** Reads the files again. Returns why they were rejected; undefined if they were applied. */
  readonly reload: () => Promise<string | undefined>;
}

const SESSIONS_LIMIT = 100;
const SESSIONS_LIMIT_MAX = 10_000;

type Parameters = readonly string[];
type Handler = (
  context: ApiContext,
  request: ApiRequest,
  ...parameters: Parameters
) => ApiAnswer | Promise<ApiAnswer>;

/** The paths of the dashboard: a page, and the files that it loads. */
const DASHBOARD_PATHS = ["/", "/dashboard.js", "/dashboard.css", "/dashboard.svg"] as const;

/** The functions that answer requests, by path; `{}` is a parameter. */
const ROUTES: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  "/api/status": { GET: ({ monitor }) => json(monitor.snapshot()) },
  "/api/sessions": { GET: sessions, DELETE: (context) => endSessions(context) },
  "/api/sessions/{}": { DELETE: (context, _, client) => endSessions(context, client) },
  "/api/events": { GET: events },
  "/api/frames": { GET: ({ frameFeed }) => ({ status: 200, stream: (one) => frameFeed.add(one) }) },
  "/api/config": { GET: config },
  "/api/backends/{}/state": {
    PUT: (context, request, id) =>
      wishFor(context, id!, { mode: bodyOf(stateBody, request).state }),
    DELETE: (context, _, id) => withdraw(context, id!, "mode"),
  },
  "/api/backends/{}/weight": {
    PUT: (context, request, id) => wishFor(context, id!, bodyOf(weightBody, request)),
    DELETE: (context, _, id) => withdraw(context, id!, "weight"),
  },
  "/api/backends/{}/fault": {
    GET: (context, request, id) => fault(context, request, id!),
    PUT: (context, request, id) => fault(context, request, id!),
    DELETE: (context, request, id) => fault(context, request, id!),
  },
  "/api/algorithm": { PUT: changeAlgorithm, DELETE: withdrawAlgorithm },
  "/api/wishes": { DELETE: (context) => wish(context, { backends: {} }) },
  "/api/reload": { POST: reload },
  "/api/explain": { POST: explainPick },
  ...Object.fromEntries(DASHBOARD_PATHS.map((path) => [path, { GET: () => dashboard(path) }])),
  "/playground/": { GET: () => playground("") },
  "/playground/{}": { GET: (_, __, name) => playground(name!) },
  "/metrics": { GET: metrics },
  "/healthz": { GET: () => ({ status: 200, type: "text/plain; charset=utf-8", text: "ok\n" }) },
  "/readyz": { GET: ready },
};

/** The paths whose answers have no end, so HEAD is not possible. */
const STREAMS = ["/api/events", "/api/frames"];

/** The admin API of a balancer. */
export function apiOf(context: ApiContext): Api {
  const routes = Object.entries(ROUTES).map(([path, methods]) => [
    path,
    Object.fromEntries(
      Object.entries(methods).map(([method, handler]) => [method, handler.bind(null, context)]),
    ),
  ]);
  return routed(Object.fromEntries(routes), STREAMS);
}

function sessions({ balancer, now }: ApiContext, { query }: ApiRequest): ApiAnswer {
  const limit = limitOf(query.get("limit"));
  const { scheduler } = balancer;
  const client = query.get("client");
  scheduler.passTime(now());
  const own = client === null ? undefined : scheduler.sessionOf(client, now());
  const found = client === null ? scheduler.sessions : own === undefined ? [] : [own];
  const shown = [];
  for (const { key, backend, home, open, usedAt, movedAt } of found) {
    if (shown.length === limit) break;
    shown.push({
      client: key,
      backend: backend.id,
      home: home.id,
      connections: open,
      used_at_ms: toMs(usedAt),
      moved_at_ms: toMs(movedAt),
    });
  }
  return json({ count: scheduler.sessionCount, sessions: shown });
}

function limitOf(text: string | null): number {
  if (text === null) return SESSIONS_LIMIT;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (limit >= 1 && limit <= SESSIONS_LIMIT_MAX) return limit;
  throw new BadRequest(`limit must be a whole number from 1 to ${SESSIONS_LIMIT_MAX}`);
}

function events({ eventFeed }: ApiContext, { query, lastEventId }: ApiRequest): ApiAnswer {
  const connections = query.get("connections") === "true";
  // The id may also be a parameter, because not every reader can set a header at its first connect.
  const lastId = lastEventId ?? query.get("last_event_id") ?? undefined;
  return { status: 200, stream: (reader) => eventFeed.add(reader, lastId, connections) };
}

function config({ balancer }: ApiContext): ApiAnswer {
  return json(configOf(balancer));
}

/** The configuration in use and the configuration in the file, without secrets, and their differences. */
function configOf({ config, fileConfig, wishedChanges }: AdminSubject) {
  return {
    digest: digestOf(config),
    in_use: writtenConfig(config),
    file: writtenConfig(fileConfig),
    wishes: wishedChanges,
  };
}

async function wishFor(context: ApiContext, id: string, wanted: BackendWish): Promise<ApiAnswer> {
  const { wishes } = knownBackend(context, id);
  const backends = { ...wishes.backends, [id]: { ...wishes.backends[id], ...wanted } };
  return await wish(context, { ...wishes, backends });
}

async function withdraw(
  context: ApiContext,
  id: string,
  key: "mode" | "weight",
): Promise<ApiAnswer> {
  const { wishes } = knownBackend(context, id);
  const { [key]: _, ...rest } = wishes.backends[id] ?? {};
  return await wish(context, { ...wishes, backends: { ...wishes.backends, [id]: rest } });
}

function knownBackend({ balancer }: ApiContext, id: string): AdminSubject {
  if (balancer.scheduler.backend(id) !== undefined) return balancer;
  throw new BadRequest("there is no backend of this id", 404);
}

/** Passes the request on to the backend, because a page can send requests to one origin only. */
async function fault(context: ApiContext, request: ApiRequest, id: string): Promise<ApiAnswer> {
  const { config } = knownBackend(context, id);
  const backend = config.backends.find((one) => one.id === id);
  if (backend === undefined) throw new BadRequest("there is no backend of this id", 404);
  const { method } = request;
  const body = method === "PUT" ? bodyOf(z.unknown(), request) : undefined;
  const asked = method === "HEAD" ? "GET" : method;
  return json(await context.backendFaults.forward(backend, asked, body));
}

async function changeAlgorithm(context: ApiContext, request: ApiRequest): Promise<ApiAnswer> {
  const { algorithm } = bodyOf(algorithmBody, request);
  return await wish(context, { ...context.balancer.wishes, algorithm });
}

async function withdrawAlgorithm(context: ApiContext): Promise<ApiAnswer> {
  const { algorithm: _, ...wishes } = context.balancer.wishes;
  return await wish(context, wishes);
}

/** Applies the operator's wishes. The answer lists how they differ from the file. */
async function wish({ balancer }: ApiContext, wishes: Wishes): Promise<ApiAnswer> {
  const problem = balancer.problemWith(wishes);
  if (problem !== undefined) throw new BadRequest(problem, 409);
  await balancer.wish(wishes);
  return json({ wishes: balancer.wishedChanges });
}

function endSessions({ balancer, events, now }: ApiContext, client?: string): ApiAnswer {
  const at = now();
  const sessions = balancer.scheduler.endSessions(at, client);
  events.emit({ type: "sessions_ended", at_ms: toMs(at), client: client ?? null, sessions });
  return json({ sessions });
}

async function reload({ reload }: ApiContext): Promise<ApiAnswer> {
  const reason = await reload();
  return reason === undefined ? json({ reloaded: true }) : failure(409, reason);
}

/** The backend that a client would get now. No connection is opened. */
function explainPick({ explain }: ApiContext, request: ApiRequest): ApiAnswer {
  const { client } = bodyOf(explainBody, request);
  try {
    return json(explain(canonicalIp(client)));
  } catch (error) {
    if (error instanceof UserError) throw new BadRequest(error.message, 409);
    throw error;
  }
}

/** The dashboard. It is loaded only on request, because it is large. */
async function dashboard(path: string): Promise<ApiAnswer> {
  const { dashboardPage } = await import("../../web/mod.ts");
  return dashboardPage(path)!;
}

/** The simulator as a page; it opens this balancer's configuration. */
async function playground(name: string): Promise<ApiAnswer> {
  const { playgroundPage } = await import("../../web/mod.ts");
  return await playgroundPage(name) ?? failure(404, "there is nothing at this path");
}

function metrics({ monitor }: ApiContext): ApiAnswer {
  return {
    status: 200,
    type: "text/plain; version=0.0.4; charset=utf-8",
    text: metricsText(monitor.snapshot(), monitor.monitor),
  };
}

/** Whether clients can be served: a backend is active, and the balancer is not stopping. */
function ready({ balancer }: ApiContext): ApiAnswer {
  const type = "text/plain; charset=utf-8";
  if (balancer.isStopping) return { status: 503, type, text: "stopping\n" };
  const isActive = balancer.scheduler.activeServers.length > 0;
  return isActive
    ? { status: 200, type, text: "ready\n" }
    : { status: 503, type, text: "no backend is active\n" };
}
