import { isLoopback } from "../../lib/base/mod.ts";

/** Who may ask what of the admin API. */
export interface AccessRules {
  /** Only this machine can reach it. Otherwise even reading needs the token. */
  readonly isLocal: boolean;
  /** The names and addresses under which it may be reached, in lower case. */
  readonly hosts: ReadonlySet<string>;
  /** The scheme by which it is reached. */
  readonly scheme: "http" | "https";
}

/** What access depends on. */
export interface RequestHead {
  readonly method: string;
  /** Names in lower case and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/** A request that is refused: the status, and why. */
export interface AccessRefusal {
  readonly status: 400 | 401 | 403 | 415 | 421;
  readonly error: string;
}

/** Whether a request changes something. */
export function isChange(method: string): boolean {
  return method !== "GET" && method !== "HEAD";
}

/**
 * Why a request is refused whoever sent it; undefined if it is not. A web page of another site must not reach the
 * API through the browser of a person who may: neither by a name that it points here (Host), nor by a form or a
 * script (Origin, Sec-Fetch-Site, Content-Type).
 */
export function refusalOf(
  { method, rawHeaders }: RequestHead,
  { hosts, scheme }: AccessRules,
): AccessRefusal | undefined {
  const hostHeaders = valuesOf(rawHeaders, "host");
  const [host] = hostHeaders;
  if (hostHeaders.length !== 1 || host === undefined) {
    return { status: 400, error: "a request has exactly one Host header" };
  }
  if (!hosts.has(nameOf(host))) {
    return {
      status: 421,
      error: "this host is not served here; admin.hosts lists further names of this machine",
    };
  }
  const isForeign = valuesOf(rawHeaders, "origin").some((origin) =>
    origin !== `${scheme}://${host}`
  );
  const sites = valuesOf(rawHeaders, "sec-fetch-site");
  if (isForeign || sites.some((site) => site !== "same-origin" && site !== "none")) {
    return { status: 403, error: "requests from pages of other sites are refused" };
  }
  if (!isChange(method)) return undefined;
  const [type, ...more] = valuesOf(rawHeaders, "content-type");
  const isJson = type !== undefined && more.length === 0 &&
    /^application\/json[ \t]*(;|$)/i.test(type);
  // A page can send DELETE only after the browser has asked, and the answer to that is no.
  if (isJson || method === "DELETE" && type === undefined) return undefined;
  return { status: 415, error: "a change needs the header Content-Type: application/json" };
}

/** The token that a request presents; undefined if it presents none, or more than one. */
export function presentedToken(rawHeaders: readonly string[]): string | undefined {
  const [value, ...more] = valuesOf(rawHeaders, "authorization");
  return more.length > 0 ? undefined : /^Bearer ([!-~]+)$/i.exec(value ?? "")?.[1];
}

/** The host without its port, in lower case. */
function nameOf(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1");
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === name) values.push(rawHeaders[i + 1]!.trim());
  }
  return values;
}

/**
 * The names under which an API that listens on this host may be reached.
 *
 * @param listening The host; undefined for a Unix socket.
 * @param local The addresses of this machine.
 * @param further What the operator has added.
 */
export function servedHosts(
  listening: string | undefined,
  local: readonly string[],
  further: readonly string[],
): ReadonlySet<string> {
  const isEvery = listening === "0.0.0.0" || listening === "::";
  const loopback = ["localhost", "127.0.0.1", "::1"];
  const own = listening === undefined || isLoopback(listening)
    ? loopback
    : isEvery
    ? [...loopback, ...local]
    : [];
  const names = [...own, ...further, ...listening === undefined ? [] : [listening]];
  return new Set(names.map((name) => name.toLowerCase()));
}
