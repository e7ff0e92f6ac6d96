/**
 * The schema of config.yaml. Validation, the JSON Schema for editors and the reference in docs/config.md are
 * generated from it.
 */
import * as z from "zod";
import {
  ALGORITHM_NAMES,
  type AlgorithmName,
  type AlgorithmOptions,
  algorithmParameters,
  type Parameter,
} from "../core/mod.ts";
import { formatDuration, type Nanoseconds, NS_PER_MS, NS_PER_US } from "../base/mod.ts";
import { group, snake } from "./camel.ts";
import { isSame } from "./data.ts";
import {
  address,
  adminListen,
  duration,
  flag,
  integer,
  prefix,
  rate,
  type RedisAddress,
  redisAddress,
  rule,
  share,
  text,
  words,
} from "./scalars.ts";

const MAX = Number.MAX_SAFE_INTEGER;

/** A time that a timer measures. */
const TIMED = { least: { value: NS_PER_MS, because: "timers count in milliseconds" } };
/** A latency of a backend. */
const MEASURED = { least: { value: NS_PER_US, because: "no answer crosses a network faster" } };
/** The pause between two probes. */
const PROBED = {
  least: { value: 10 * NS_PER_MS, because: "each probe is a connect" },
};
const LOGGED = {
  least: { value: 100 * NS_PER_MS, because: "each time the log gets a line for every backend" },
};

/** One of a few names. */
function oneOf<const Names extends readonly [string, ...string[]]>(names: Names) {
  return z.enum(names);
}

function prefixes() {
  return z.array(prefix(), { error: () => "must be a list of addresses and prefixes" });
}

/** A bound on load. */
const bound = z.number({ error: () => "must be a number of at least 1, like 1.25" }).min(1, {
  error: () =>
    "must be at least 1: below that, even a perfectly even spread would exceed the bound",
}).max(1000).optional();

/** The schema of a parameter of an algorithm; undefined if config.yaml does not have it. */
function parameterSchema(parameter: Parameter): z.ZodType | undefined {
  switch (parameter.kind) {
    case "hidden":
      return undefined;
    case "bound":
      return bound.describe(parameter.means);
    case "duration": {
      const least = parameter.of === "latency" ? MEASURED : TIMED;
      return duration(least).prefault(formatDuration(parameter.default)).describe(parameter.means);
    }
    case "integer": {
      const { min, max, complaint } = parameter;
      const schema = integer(min, max).default(parameter.default);
      if (complaint === undefined) return schema.describe(parameter.means);
      return schema.refine((value) => complaint(value) === undefined, {
        error: ({ input }) => complaint(input as number) ?? "",
      }).describe(parameter.means);
    }
  }
}

/** The keys of an algorithm's parameters in config.yaml. */
function parameterSchemas(name: AlgorithmName): Readonly<Record<string, z.ZodType>> {
  const schemas = Object.entries(algorithmParameters(name)).map(([key, parameter]) =>
    [snake(key), parameterSchema(parameter)] as const
  );
  return Object.fromEntries(schemas.filter(([, schema]) => schema !== undefined)) as Record<
    string,
    z.ZodType
  >;
}

/** Each algorithm with its parameters. */
const parametered = z.discriminatedUnion(
  "name",
  ALGORITHM_NAMES.map((name) => group({ name: z.literal(name), ...parameterSchemas(name) })) as [
    ReturnType<typeof group<{ name: z.ZodLiteral<AlgorithmName> }>>,
  ],
) as unknown as z.ZodType<AlgorithmOptions, unknown>;

type Algorithm = AlgorithmOptions;

/** An algorithm whose parameters all have their defaults. */
const named = z.codec(z.enum(ALGORITHM_NAMES), z.custom<Algorithm>(), {
  decode: (name) => parametered.parse({ name }),
  encode(algorithm, { issues }) {
    if (isSame(algorithm, parametered.parse({ name: algorithm.name }))) {
      return algorithm.name;
    }
    issues.push({ code: "custom", message: "has parameters of its own", input: algorithm });
    return z.NEVER;
  },
});

const algorithm = z.union([named, parametered]);

/** The valid ids of backends. */
export const BACKEND_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** The keys of a backend. */
export const backendKeys = {
  id: words("a name, like B1").regex(BACKEND_ID, {
    error: () => "must be letters, digits, dots, dashes and underscores, at most 64",
  }).meta({ description: "the backend's name in logs and answers", examples: ["B1"] }),
  address: address().describe("where the backend listens"),
  admin: address().optional().describe(
    "where the backend's own admin API listens; it injects faults like hang or slow. The API uses the token file and the TLS " +
      "files of `admin`. Off if left out",
  ),
  weight: integer(0, 256).default(1).describe(
    "its share of the load, relative to the weights of the other backends; 0: no new clients",
  ),
  max_connections: integer(1, MAX).optional()
    .describe("with this many connections in flight the backend is full; no limit if left out"),
  backup: flag().default(false).describe("used only while no other backend is available"),
  mode: oneOf(["ready", "drain", "maintenance"]).default("ready").describe(
    "drain: no new clients; open connections may finish. maintenance: no new connections and no probes",
  ),
};

const backend = group(backendKeys);

/** `200`, `200-399`. */
const statusRange = text<{ min: number; max: number }>({
  what: "a status like 200, or a range like 200-399",
  examples: ["200-399"],
  pattern: "^[1-5]\\d\\d(-[1-5]\\d\\d)?$",
  isNumber: true,
  parse(input) {
    const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(input);
    const min = Number(match?.[1]);
    const max = Number(match?.[2] ?? match?.[1]);
    if (match === null || max < min) {
      throw new SyntaxError(`"${input}" is not a status like 200, nor a range like 200-399`);
    }
    return { min, max };
  },
  format: ({ min, max }) => min === max ? String(min) : `${min}-${max}`,
});

/** The keys of `health_check`. */
export const healthCheckKeys = {
  type: oneOf(["tcp", "expect", "http", "none"]).default("tcp").describe(
    "tcp: a connect must succeed. expect: the answer to `send` must contain `expect`. http: a GET of `path` must succeed. " +
      "none: every backend counts as up",
  ),
  interval: duration(PROBED).prefault("2s").describe("time from one probe to the next"),
  timeout: duration(TIMED).prefault("1s").describe("a probe that takes longer has failed"),
  rise: integer(1, 1000).default(2).describe(
    "successful probes in a row that mark a backend as up",
  ),
  fall: integer(1, 1000).default(3).describe("failed probes in a row that mark a backend as down"),
  jitter: share({ max: 50 }).prefault("10%").describe(
    "each interval is shorter or longer at random, by at most this share",
  ),
  port: integer(1, 65535).optional().describe("probe this port; the backend's own if left out"),
  send: words("text").optional().describe(
    "expect: the text that the probe sends; nothing if left out",
  ),
  expect: words("text").optional().describe("expect: the text that the answer must contain"),
  path: words("a path, like /").regex(/^\/[!-~]*$/, {
    error: () => "must begin with / and have no spaces",
  }).default("/").describe("http: the path of the GET request"),
  host: words("a host name").regex(/^[!-~]+$/, {
    error: () => "must have no spaces",
  }).optional().describe("http: the Host header of the request; the backend's address if left out"),
  status: z.array(statusRange, { error: () => "must be a list, like [200-399]" }).min(1, {
    error: () => "must name at least one status",
  }).prefault(["200-399"]).describe("http: the statuses of a successful probe"),
};

const healthCheck = group(healthCheckKeys);

/** A path, with an example for the message if it is missing. */
function path(example: string) {
  return words(`a path, like ${example}`).meta({ examples: [example] });
}

const STORES = "memory, {sqlite: sessions.db} or {redis: redis://127.0.0.1:6379/0}";

const memoryStore = text<"memory">({
  what: STORES,
  examples: ["memory"],
  pattern: "^memory$",
  parse(input) {
    if (input === "memory") return input;
    throw new SyntaxError(`must be ${STORES}`);
  },
  format: (value) => value,
});

/** How long a client waits for a Redis server, if the key is left out. */
const REDIS_TIMEOUT: Nanoseconds = 50 * NS_PER_MS;

/** A store other than memory: SQLite or Redis. */
type Store =
  | { sqlite: string; redis?: undefined; timeout?: undefined }
  | { redis: RedisAddress; timeout: Nanoseconds; sqlite?: undefined };

const writtenStore = z.strictObject({
  sqlite: path("sessions.db").optional().describe(
    "the path of a file for the sessions, which then survive a restart; relative to this file's directory",
  ),
  redis: redisAddress().optional().describe(
    "the URL of a Redis or Valkey server, through which several balancers share their sessions",
  ),
  timeout: duration(TIMED).optional().describe(
    "redis: the longest time that a client waits for its session; " +
      `${formatDuration(REDIS_TIMEOUT)} if left out`,
  ),
});

const sessionStore = z.codec(
  writtenStore.check(rule(({ sqlite, redis, timeout }, hasUnknownKey) => {
    if (sqlite === undefined && redis === undefined && hasUnknownKey) return undefined;
    if ((sqlite === undefined) === (redis === undefined)) return { message: `must be ${STORES}` };
    if (redis !== undefined || timeout === undefined) return undefined;
    return {
      message:
        "applies only to redis: no client waits for a file, because it is read once, at the start",
      path: ["timeout"],
    };
  })),
  z.custom<Store>(),
  {
    decode: ({ sqlite, redis, timeout = REDIS_TIMEOUT }) =>
      redis === undefined ? { sqlite: sqlite! } : { redis, timeout },
    encode: (store) => store,
  },
);

const sticky = group({
  by: oneOf(["client-address"]).default("client-address").describe("how clients are identified"),
  ipv4_prefix: integer(0, 32).default(32)
    .describe("clients that share this many leading bits count as one; 32 is the whole address"),
  ipv6_prefix: integer(0, 128).default(128).describe("the same for IPv6; 128 is the whole address"),
  ttl: duration(TIMED).prefault("10m")
    .describe("a session ends when its client has had no connection for this long"),
  max_entries: integer(1, 10_000_000).default(100_000)
    .describe(
      "the largest number of sessions; if it is reached, a new session replaces the least recently used one",
    ),
  on_failback: oneOf(["return", "stay"]).default("return")
    .describe(
      "return: a moved client goes back when its backend has recovered. stay: it keeps its new backend",
    ),
  drain: oneOf(["move", "allow"]).default("move").describe(
    "move: a client whose backend drains or has weight 0 gets another backend. allow: it may return to its backend",
  ),
  store: z.union([memoryStore, sessionStore]).prefault("memory").describe(
    `where sessions are kept: ${STORES}`,
  ),
});

/** The keys of `ejection`. */
export const ejectionKeys = {
  failures: integer(1, 1000).default(5).describe("failed connects in a row that eject a backend"),
  base: duration(TIMED).prefault("30s").describe(
    "duration of the first ejection; the n-th lasts n times as long",
  ),
  max: duration(TIMED).prefault("5m").describe("the longest duration of an ejection"),
  max_share: share().prefault("50%").describe(
    "at most this share of the backends is ejected at the same time",
  ),
};

const ejection = group(ejectionKeys);

const slowStart = group({
  duration: duration(TIMED).prefault("30s").describe(
    "time until the backend has its full weight; time in which the backend may not get clients does not count",
  ),
  floor: share().prefault("10%").refine((share) => share >= 0.01, {
    error: () => "must be at least 1%",
  }).describe("the backend begins with this share of its weight"),
});

const proxyProtocol = group({
  accept_from: prefixes()
    .default([]).describe(
      "trusted proxies: a connection from one of these addresses must begin with a PROXY header, v1 or v2",
    ),
  timeout: duration(TIMED).prefault("3s").describe("the longest time until the header has arrived"),
  send: oneOf(["off", "v1", "v2"]).default("off").describe(
    "the version of the PROXY header that the balancer sends to backends; off: none",
  ),
});

const tls = group({
  certificate: path("cert.pem").describe(
    "PEM file with the certificate, followed by intermediate certificates; relative to this file's directory",
  ),
  key: path("key.pem").describe("PEM file with the certificate's private key, not encrypted"),
  timeout: duration(TIMED).prefault("3s").describe("the longest duration of a client's handshake"),
});

const backendTls = group({
  ca: path("ca.pem").optional().describe(
    "PEM file with CAs that are trusted in addition to the public ones; relative to this file's directory",
  ),
  server_name: words("a host name").regex(/^[A-Za-z0-9._:-]+$/, {
    error: () => "must be a host name or an IP address",
  }).optional().describe(
    "the name that each backend's certificate must contain; the host of the backend's address if left out",
  ),
});

const queue = group({
  length: integer(1, 1_000_000).default(1000).describe(
    "the largest number of clients that wait; further clients are refused",
  ),
  timeout: duration(TIMED).prefault("5s").describe("the longest time that a client waits"),
});

const timeouts = group({
  connect: duration(TIMED).prefault("2s").describe(
    "the longest duration of a connect to a backend, including its TLS handshake",
  ),
  idle: duration(TIMED).prefault("5m")
    .describe(
      "a connection without data for this long is closed; while a write waits for a slow " +
        "reader, the limit is at least one minute",
    ),
  drain: duration().prefault("30s")
    .describe("when the balancer stops, the time in which open connections may finish"),
});

const limits = group({
  connections: integer(1, 10_000_000).default(1000)
    .describe(
      "the largest number of connections at the same time, including those in the queue; further clients are refused. Each takes two " +
        "file descriptors. Raise it for many long connections; lower it if overload makes clients wait",
    ),
  per_client: group({
    connections: integer(1, 10_000_000).optional().describe(
      "the largest number of connections of one client at the same time",
    ),
    rate: rate().optional().describe(
      "the highest rate of new connections of one client, like 50/s",
    ),
  }).optional().describe("limits for each client address (IPv6: each /64); off if left out"),
});

/** Where the admin API listens if the key is left out, in the notation of config.yaml. */
export const DEFAULT_ADMIN_LISTEN = "127.0.0.1:9900";

const admin = group({
  listen: adminListen().optional().describe(
    `where the admin API listens: an address, unix:/path or off; ${DEFAULT_ADMIN_LISTEN} if left out. ` +
      "If that default port is in use, the balancer runs without the API. On an address other than loopback, every request needs the token",
  ),
  token_file: path("admin.token").optional().describe(
    "file with the token for changes; the balancer creates it at the first start, readable only by its own user. " +
      "Relative to this file's directory. If left out, the API changes nothing",
  ),
  hosts: z.array(
    words("a host name").regex(/^[A-Za-z0-9._:-]+$/, {
      error: () => "must be a host name or an IP address, without a port",
    }),
    { error: () => "must be a list of host names" },
  ).default([]).describe(
    "further names and addresses under which browsers and scripts reach the API; requests for other hosts are refused",
  ),
  tls: group({
    certificate: path("admin.pem").describe(
      "PEM file with the certificate of the admin API; relative to this file's directory",
    ),
    key: path("admin-key.pem").describe("PEM file with its private key, not encrypted"),
  }).optional().describe("the admin API speaks TLS; off if left out"),
});

/** The keys of `log`. */
export const logKeys = {
  level: oneOf(["debug", "info", "warning", "error"]).default("info")
    .describe("the lowest level that is logged; debug shows every probe"),
  format: oneOf(["auto", "pretty", "json"]).default("auto")
    .describe("auto: pretty on a terminal, JSON lines otherwise"),
  connections: flag().default(true).describe("log each connection"),
  status_interval: duration(LOGGED).prefault("30s")
    .describe("how often the log has a line for each backend"),
};

const log = group(logKeys);

/** The keys of config.yaml, each with its schema. */
export const configKeys = {
  listen: address({ anyPort: true }).prefault("127.0.0.1:8000")
    .describe("where the balancer listens"),
  algorithm: algorithm.prefault("round-robin").describe(
    `${ALGORITHM_NAMES.join(", ")}; or {name: power-of-two, choices: 3}, ` +
      "{name: maglev, bounded_load: 1.25}: docs/algorithms.md has all parameters",
  ),
  backends: z.array(backend, {
    error: () => "must be a list of backends, each like {id: B1, address: 192.168.1.11:9000}",
  }).min(1, { error: () => "must name at least one backend" }).meta({
    description: "the servers to which the balancer sends connections",
    examples: ["[{id: B1, address: 192.168.1.11:9000}]"],
  }),
  health_check: healthCheck.prefault({}),
  sticky: sticky.optional().describe("a client returns to its previous backend; off if left out"),
  proxy_protocol: proxyProtocol.optional().describe(
    "passes the client's address through a chain of proxies; off if left out",
  ),
  tls: tls.optional().describe("clients speak TLS to the balancer; off if left out"),
  backend_tls: backendTls.optional().describe(
    "the balancer speaks TLS to backends and verifies their certificates; with `{}`, only public CAs are trusted; " +
      "off if left out",
  ),
  slow_start: slowStart.optional().describe(
    "a backend that has recovered, or that a reload has added, gets its load step by step; off if left out",
  ),
  ejection: ejection.optional().describe(
    "a backend gets no clients for a while after several failed connects; off if left out",
  ),
  queue: queue.optional().describe(
    "while every backend is at its max_connections, clients wait, first come, first served. A " +
      "client that closes its connection, or only its sending side, gives up its place. If left out, clients are refused instead",
  ),
  on_down: oneOf(["keep", "close"]).default("keep").describe(
    "what happens to the connections of a backend that is marked as down: keep or close",
  ),
  when_none_available: oneOf(["refuse", "try-anyway"]).default("refuse").describe(
    "when no backend is healthy: refuse clients, or send them to a backend that may be down",
  ),
  retries: integer(0, 100).default(3)
    .describe("how many other backends the balancer tries when a connect fails"),
  timeouts: timeouts.prefault({}),
  limits: limits.prefault({}),
  allow: prefixes().min(1, {
    error: () => "must name at least one address: otherwise every client would be refused",
  }).optional().describe(
    "only clients from these addresses and prefixes are accepted; all clients if left out",
  ),
  deny: prefixes().optional()
    .describe("clients from these addresses and prefixes are refused"),
  log: log.prefault({}),
  admin: admin.prefault({}).describe("the API that shows the state of the balancer and changes it"),
};

/** The schema of the whole config.yaml. */
export const configSchema = group(configKeys);

/** A configuration: complete, valid, durations in nanoseconds. */
export type Config = z.output<typeof configSchema>;
