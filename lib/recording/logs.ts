import { NS_PER_MS, parseDuration } from "../base/mod.ts";
import type { ConnectionEnd, RefusalReason } from "../core/mod.ts";
import type { TrafficReader, TrafficRow } from "./traffic.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A line with a larger time is damaged. */
const AT_MS_MAX = Date.UTC(9999, 0);
/** No longer duration can be simulated: 104 days. */
const DURATION_MS_MAX = Number.MAX_SAFE_INTEGER / NS_PER_MS;

/** The row, or undefined if its values are not possible. */
function plausible(row: TrafficRow): TrafficRow[] | undefined {
  const { at, connected = 0, service = 0, bytesToBackend = 0, bytesToClient = 0 } = row;
  const isRight = row.backend !== "" && Math.abs(at) <= AT_MS_MAX &&
    connected + service <= DURATION_MS_MAX &&
    Number.isSafeInteger(bytesToBackend) && Number.isSafeInteger(bytesToClient);
  return isRight ? [row] : undefined;
}

/** `[06/Feb/2009:12:12:51.443]`, without a time zone: only the differences of times matter. */
const HAPROXY_DATE = String.raw`\[(\d\d)/([A-Z][a-z][a-z])/(\d{4}):(\d\d):(\d\d):(\d\d)\.(\d{3})\]`;
/**
 * Client, date, frontend, backend and server. A syslog server may have added text before them. The expression looks
 * for a client only at the beginning of a word: otherwise the time for a long line without spaces would grow with the
 * square of its length.
 */
const HAPROXY_BEGINNING = String
  .raw`(?<!\S)([^\s,"]+):\d+ ${HAPROXY_DATE} \S+ [^\s/]+/(\S+)`;
/** `Tw/Tc/Tt bytes state`, as `option tcplog` writes them. */
const HAPROXY_TCP = new RegExp(
  String.raw`${HAPROXY_BEGINNING} (-?\d+)/(-?\d+)/(\+?)(\d+) \+?(\d+) (\S)(\S) `,
);
/** `TR/Tw/Tc/Tr/Ta status bytes cookies state`, as `option httplog` writes them. */
const HAPROXY_HTTP = new RegExp(
  String
    .raw`${HAPROXY_BEGINNING} (-?\d+)/(-?\d+)/(-?\d+)/-?\d+/(\+?)(\d+) -?\d+ \+?(\d+) \S+ \S+ (\S)(\S)\S\S `,
);

/**
 * HAProxy's `tcplog` and `httplog`. A line is written at the end of a connection or request, and has the date of its
 * beginning. A time of −1 means that the step was never reached.
 *
 * Source: HAProxy configuration manual 2.6, sections 8.2.2, 8.2.3, 8.4 and 8.5.
 */
export class HaproxyLog implements TrafficReader {
  readonly origin = "haproxy";
  readonly #seen = { http: false };

  get assumptions(): readonly string[] {
    return this.#seen.http ? ["each HTTP request of the log counts as a connection"] : [];
  }

  rows(line: string): TrafficRow[] | undefined {
    const tcp = HAPROXY_TCP.exec(`${line} `);
    if (tcp !== null) {
      const [wait, connect, early, total, bytes, ...state] = tcp.slice(10);
      return rowOf(tcp, { request: 0, wait, connect, early, total, bytes, state });
    }
    const http = HAPROXY_HTTP.exec(`${line} `);
    if (http === null) return undefined;
    this.#seen.http = true;
    const [request, wait, connect, early, total, bytes, ...state] = http.slice(10);
    return rowOf(http, { request: Number(request), wait, connect, early, total, bytes, state });
  }
}

function rowOf(match: RegExpExecArray, fields: {
  readonly request: number;
  readonly wait: string | undefined;
  readonly connect: string | undefined;
  /** A plus if the line was written before the end of the connection. */
  readonly early: string | undefined;
  readonly total: string | undefined;
  readonly bytes: string | undefined;
  readonly state: readonly string[];
}): TrafficRow[] | undefined {
  const [, client = "", day, month = "", year, hour, minute, second, ms, server = ""] = match;
  const monthIndex = MONTHS.indexOf(month);
  if (monthIndex === -1) return undefined;
  const at = Date.UTC(
    ...[Number(year), monthIndex, Number(day)] as const,
    ...[Number(hour), Number(minute), Number(second), Number(ms)] as const,
  );
  // `Date.UTC` accepts 31 February and 25 o'clock, and returns a time on a later day.
  const date = new Date(at);
  if (date.getUTCDate() !== Number(day) || date.getUTCHours() !== Number(hour)) return undefined;
  const [total, connect] = [Number(fields.total), Number(fields.connect)];
  if (connect < -1) return undefined;
  const [request, wait] = [Math.max(0, fields.request), Math.max(0, Number(fields.wait))];
  const [cause = "-", phase = "-"] = fields.state;
  if (connect === -1 || server === "<NOSRV>") {
    return plausible({ at, client, service: total, refused: refusalOf(cause, phase, server) });
  }
  const connected = request + wait + connect;
  return plausible({
    ...{ at, client, backend: server, connected, end: endOf(cause) },
    service: fields.early === "+" ? undefined : Math.max(0, total - connected),
    bytesToClient: Number(fields.bytes),
  });
}

/** The reason for which a connection reached no server. */
function refusalOf(cause: string, phase: string, server: string): RefusalReason | "left" {
  if (cause === "C" || cause === "c") return "left";
  if (phase === "Q") return "queue_timeout";
  if (cause === "P") return "denied";
  return server === "<NOSRV>" ? "no_backend_available" : "connects_failed";
}

function endOf(cause: string): ConnectionEnd {
  switch (cause) {
    case "C":
      return "client_aborted";
    case "S":
      return "backend_aborted";
    case "c":
    case "s":
      return "idle_timeout";
    case "D":
      return "backend_down";
    case "K":
      return "closed_by_balancer";
    default:
      return "closed";
  }
}

/** The `log_format` that an nginx must use in its block `stream`. */
export const NGINX_FORMAT =
  `log_format lbsim '$msec $remote_addr $session_time $status $bytes_received $bytes_sent '
                 '"$upstream_addr" "$upstream_connect_time" "$upstream_session_time"';`;

const NGINX =
  /^(\d+\.\d+) ([^\s,"]+) (\d+\.\d+) (\d{3}) (\d+) (\d+) "([^"]+)" "([-\d., :]+)" "([-\d., :]+)"$/;

/** The statuses that nginx reports if it reached no server. */
const NGINX_REFUSALS: Readonly<Record<string, RefusalReason>> = {
  "400": "bad_proxy_header",
  "403": "denied",
  "503": "connection_limit",
};

/**
 * A log of nginx's stream module in the format `NGINX_FORMAT`. A line is written at the end of a session. After
 * retries, each field about upstream servers is a list with commas; its last item is about the server that took the
 * session.
 *
 * Source: nginx documentation, ngx_stream_log_module, ngx_stream_core_module and ngx_stream_upstream_module.
 */
export class NginxLog implements TrafficReader {
  readonly origin = "nginx";
  readonly assumptions = [];

  rows(line: string): TrafficRow[] | undefined {
    const match = NGINX.exec(line.trimEnd());
    if (match === null) return undefined;
    const [, ended, client = "", session, status = "", received, sent, ...upstream] = match;
    const [server, connect, used] = upstream.map((list) => list.split(/[,:] /).at(-1)!.trim());
    if (!isNginxTime(connect) || !isNginxTime(used)) return undefined;
    const total = 1000 * Number(session);
    const at = 1000 * Number(ended) - total;
    const traffic = { bytesToBackend: Number(received), bytesToClient: Number(sent) };
    const [connectMs, usedMs] = [1000 * Number(connect), 1000 * Number(used)];
    if (Number.isNaN(connectMs) || Number.isNaN(usedMs)) {
      const refused = NGINX_REFUSALS[status] ?? "connects_failed";
      return plausible({ at, client, service: total, refused });
    }
    const service = Math.max(0, usedMs - connectMs);
    const connected = Math.max(0, total - service);
    return plausible({ at, client, backend: server, connected, service, ...traffic });
  }
}

/** Whether a text is a time of nginx. A dash means that the step was never reached. */
function isNginxTime(text: string | undefined): boolean {
  return text !== undefined && /^(-|\d+(\.\d+)?)$/.test(text);
}

/**
 * A table with a connection in each line. The first line names the columns: `at` and `service` in seconds or as
 * durations, `client`, and `backend`; only `at` is needed.
 */
export class CsvTable implements TrafficReader {
  readonly origin = "csv";
  readonly assumptions = [];
  #columns: readonly string[] | undefined;

  rows(line: string): TrafficRow[] | undefined {
    const cells = cellsOf(line);
    if (this.#columns === undefined) {
      if (!cells.includes("at")) return undefined;
      this.#columns = cells;
      return [];
    }
    if (line.trim() === "") return [];
    const cell = (name: string) => cells[this.#columns!.indexOf(name)] || undefined;
    const [at, service] = [millisecondsOf(cell("at")), millisecondsOf(cell("service"))];
    if (at === undefined || Number.isNaN(at) || Number.isNaN(service)) return undefined;
    const client = cell("client") ?? "unknown";
    return plausible({ at, client, backend: cell("backend"), service });
  }
}

/** A time in milliseconds; NaN if the text is not a time, undefined if there is no text. */
function millisecondsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+(\.\d+)?(e-?\d+)?$/i.test(text)) return 1000 * Number(text);
  try {
    return parseDuration(text) / NS_PER_MS;
  } catch {
    return NaN;
  }
}

function cellsOf(line: string): string[] {
  return line.split(",").map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
}

/**
 * The Azure Functions trace of 2021: a table of invocations with their ends and durations, in seconds. The
 * application counts as the client.
 *
 * Source: AzureFunctionsInvocationTrace2021.md in Azure/AzurePublicDataset; Zhang et al., SOSP 2021.
 */
export class Azure2021 implements TrafficReader {
  readonly origin = "azure-2021";
  readonly assumptions = ["an application is a client, and each invocation is a connection of it"];

  rows(line: string): TrafficRow[] | undefined {
    const [app = "", func, ended = "", duration = ""] = line.trim().split(/[,\s]+/);
    // If several tables were put together, the header comes again.
    if (app === "app" && func === "func") return [];
    if (app === "") return undefined;
    const [end, service] = [millisecondsOf(ended), millisecondsOf(duration)];
    if (end === undefined || service === undefined) return undefined;
    if (Number.isNaN(end) || Number.isNaN(service)) return undefined;
    return plausible({ at: end - service, client: app, service });
  }
}
