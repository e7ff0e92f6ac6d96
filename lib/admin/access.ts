import { isLoopback } from "../base/mod.ts";

/** The rules for access to the admin API. */
export interface AccessRules {
  /** Whether only this machine can reach the API. If not, reading needs the token, too. */
  readonly isLocal: boolean;
  /** The host names and addresses that the `Host` header of a request may have, in lower case. */
  readonly hosts: ReadonlySet<string>;
  /** The scheme of the API's URLs. */
  readonly scheme: "http" | "https";
  /** The hint for a request with another `Host`; if left out, it names the setting `admin.hosts`. */
  readonly hostHint?: string;
  /** Whether every change is refused, even with the token. */
  readonly isReadOnly?: boolean;
}

/** The parts of a request on which access depends. */
export interface RequestHead {
  readonly method: string;
  /** The names and values of the headers alternately, in the order of the request. */
  readonly rawHeaders: readonly string[];
}

/** The refusal of a request: its status, and the reason. */
export interface AccessRefusal {
  readonly status: 400 | 401 | 403 | 405 | 415 | 421;
  readonly error: string;
}

const ADMIN_HOSTS = "admin.hosts lists further names of this machine";

/** Whether a request changes something. */
export function isChange(method: string): boolean {
  return method !== "GET" && method !== "HEAD";
}

/**
 * The reason to refuse a request, even if it has the token; undefined if there is no such reason. A page of another
 * site must not reach the API through the browser of a permitted user: neither by a host name that leads here
 * (Host), nor by a form or a script (Origin, Sec-Fetch-Site, Content-Type).
 */
export function refusalOf(
  { method, rawHeaders }: RequestHead,
  { hosts, scheme, hostHint = ADMIN_HOSTS, isReadOnly }: AccessRules,
): AccessRefusal | undefined {
  const hostHeaders = valuesOf(rawHeaders, "host");
  const [host] = hostHeaders;
  if (hostHeaders.length !== 1 || host === undefined) {
    return { status: 400, error: "a request must have exactly one Host header" };
  }
  if (!hosts.has(nameOf(host))) {
    return {
      status: 421,
      error: `this host is not served here; ${hostHint}`,
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
  if (isReadOnly) return { status: 405, error: "only GET is possible here" };
  const [type, ...more] = valuesOf(rawHeaders, "content-type");
  const isJson = type !== undefined && more.length === 0 &&
    /^application\/json[ \t]*(;|$)/i.test(type);
  // Before a page of another site can send DELETE, its browser asks this server for permission, and gets none.
  if (isJson || method === "DELETE" && type === undefined) return undefined;
  return { status: 415, error: "a change needs the header Content-Type: application/json" };
}

/** The token that a request presents; undefined if it presents none, or more than one. */
export function presentedToken(rawHeaders: readonly string[]): string | undefined {
  const [value, ...more] = valuesOf(rawHeaders, "authorization");
  return more.length > 0 ? undefined : /^Bearer ([!-~]+)$/i.exec(value ?? "")?.[1];
}

/**
 * The token that the user has typed when the browser asked for a password. It allows only reading, because the
 * browser adds it to each request by itself; a change needs a header that only the page can add. Undefined if there
 * is no such token, or more than one.
 */
export function typedToken(rawHeaders: readonly string[]): string | undefined {
  const [value, ...more] = valuesOf(rawHeaders, "authorization");
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(value ?? "")?.[1];
  if (encoded === undefined || more.length > 0) return undefined;
  try {
    return /^[^:]*:([!-~]+)$/.exec(atob(encoded))?.[1];
  } catch {
    return undefined;
  }
}

/** Whether a request is for a page. Then the browser may ask its user for a password; a script must not cause this. */
export function wantsPage({ method, rawHeaders }: RequestHead): boolean {
  return !isChange(method) &&
    valuesOf(rawHeaders, "accept").some((type) => type.includes("text/html"));
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
 * @param further The names that the operator has added.
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
