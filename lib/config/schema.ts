/**
 * What config.yaml may say. Validation, the JSON Schema for editors and the reference in docs/config.md are
 * all made from this.
 */
import * as z from "zod";
import { ALGORITHM_DEFAULTS, ALGORITHM_NAMES, isPrime } from "../core/mod.ts";
import { type Nanoseconds, NS_PER_MS, NS_PER_US } from "../base/mod.ts";
import { isSame } from "./data.ts";
import {
  address,
  duration,
  flag,
  integer,
  prefix,
  rate,
  type RedisAddress,
  redisAddress,
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

/** The hashes' bound on load. */
const boundedLoad = z.number({ error: () => "must be a number of at least 1, like 1.25" }).min(1, {
  error: () => "must be at least 1: below that not even an even spread would be allowed",
}).max(1000).optional().describe(
  "nobody has more than so many times its share in flight, like 1.25; no bound if left out",
);

/** Each algorithm with its parameters. */
const parametered = z.discriminatedUnion("name", [
  z.strictObject({ name: z.enum(["round-robin", "least-connections", "random"]) }),
  z.strictObject({
    name: z.literal("power-of-two"),
    choices: integer(1, 1000).default(ALGORITHM_DEFAULTS.choices).describe(
      "how many distinct backends a pick looks at",
    ),
  }),
  z.strictObject({
    name: z.literal("peak-ewma"),
    decay: duration(MEASURED).prefault("10s").describe(
      "how fast a latency is forgotten",
    ),
    initial: duration(MEASURED).prefault("30ms").describe(
      "latency assumed of a backend that has not answered yet",
    ),
  }),
  z.strictObject({ name: z.enum(["join-idle-queue", "first-available"]) }),
  z.strictObject({
    name: z.literal("prequal"),
    pool: integer(2, 1000).default(ALGORITHM_DEFAULTS.pool).describe("probe results kept"),
    age: duration(TIMED).prefault("1s").describe("how old they may be"),
    probes: integer(1, 100).default(ALGORITHM_DEFAULTS.probes).describe("probes with each pick"),
  }),
  z.strictObject({ name: z.literal("source-hash"), bounded_load: boundedLoad }),
  z.strictObject({
    name: z.literal("ring-hash"),
    points: integer(1, 10_000).default(ALGORITHM_DEFAULTS.points).describe(
      "on the ring, per unit of weight",
    ),
    bounded_load: boundedLoad,
  }),
  z.strictObject({
    name: z.literal("maglev"),
    table_size: integer(2, 10_000_019).default(ALGORITHM_DEFAULTS.tableSize).refine(isPrime, {
      error: ({ input }) => `must be a prime: ${input} is not; 65537 is`,
    }).describe("slots, a prime; a hundred times the backends or more"),
    bounded_load: boundedLoad,
  }),
]);

type Algorithm = z.output<typeof parametered>;

/** An algorithm whose parameters are all as they are when none are given. */
const named = z.codec(z.enum(ALGORITHM_NAMES), z.custom<Algorithm>(), {
  decode: (name) => parametered.parse({ name }),
  encode(algorithm, { issues }) {
    if (isSame(algorithm, parametered.parse({ name: algorithm.name }))) {
      return algorithm.name;
    }
    issues.push({ code: "custom", message: "it has parameters of its own", input: algorithm });
    return z.NEVER;
  },
});

const algorithm = z.union([named, parametered]);

const backend = z.strictObject({
  id: words("a name, like B1").regex(/^[A-Za-z0-9._-]{1,64}$/, {
    error: () => "must be letters, digits, dots, dashes and underscores, at most 64",
  }).meta({ description: "its name in logs and answers", examples: ["B1"] }),
  address: address().describe("where it listens"),
  weight: integer(0, 256).default(1).describe(
    "share of the load, relative to the others; 0: no new clients",
  ),
  max_connections: integer(1, MAX).optional()
    .describe("at this many connections in flight it is full; no limit if left out"),
  backup: flag().default(false).describe("used only while no other backend is available"),
  mode: oneOf(["ready", "drain", "maintenance"]).default("ready").describe(
    "drain: no new clients, what is open may finish. maintenance: nothing new, and no probes",
  ),
});

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

const healthCheck = z.strictObject({
  type: oneOf(["tcp", "expect", "http", "none"]).default("tcp").describe(
    "tcp: connects. expect: sends `send` and looks for `expect` in the answer. http: GETs `path`. " +
      "none: every backend counts as up",
  ),
  interval: duration(PROBED).prefault("2s").describe("from one probe to the next"),
  timeout: duration(TIMED).prefault("1s").describe("a probe that takes longer failed"),
  rise: integer(1, 1000).default(2).describe("good probes in a row that bring a backend up"),
  fall: integer(1, 1000).default(3).describe("bad probes in a row that take it down"),
  jitter: share({ max: 50 }).prefault("10%").describe(
    "by how much each interval is drawn shorter or longer",
  ),
  port: integer(1, 65535).optional().describe("probe this port; the backend's own if left out"),
  send: words("text").optional().describe("expect: what to send first; nothing if left out"),
  expect: words("text").optional().describe("expect: what the answer must contain"),
  path: words("a path, like /").regex(/^\/[!-~]*$/, {
    error: () => "must begin with / and have no spaces",
  }).default("/").describe("http: what to GET"),
  host: words("a host name").regex(/^[!-~]+$/, {
    error: () => "must have no spaces",
  }).optional().describe("http: the Host header; the backend's address if left out"),
  status: z.array(statusRange, { error: () => "must be a list, like [200-399]" }).min(1, {
    error: () => "must name at least one status",
  }).prefault(["200-399"]).describe("http: the statuses that are good"),
});

/** A path, with an example for whoever has left it out. */
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

/** A store other than memory: one of the two. */
type Store =
  | { sqlite: string; redis?: undefined; timeout?: undefined }
  | { redis: RedisAddress; timeout: Nanoseconds; sqlite?: undefined };

const writtenStore = z.strictObject({
  sqlite: path("sessions.db").optional().describe(
    "a file that survives a restart; relative to this file's directory",
  ),
  redis: redisAddress().optional().describe(
    "the URL of a Redis or Valkey server, by which several balancers share their sessions",
  ),
  timeout: duration(TIMED).optional().describe(
    "redis: a client waits for so long at most until its session is known; 50ms if left out",
  ),
});

const sessionStore = z.codec(writtenStore, z.custom<Store>(), {
  decode({ sqlite, redis, timeout }, { issues, value: input }) {
    const complain = (message: string, path: string[] = []) => {
      issues.push({ code: "custom", message, path, input });
      return z.NEVER;
    };
    if (redis !== undefined && sqlite === undefined) {
      return { redis, timeout: timeout ?? 50 * NS_PER_MS };
    }
    if (sqlite === undefined || redis !== undefined) return complain(`must be ${STORES}`);
    if (timeout === undefined) return { sqlite };
    return complain("is for redis: a file is read once, at the start", ["timeout"]);
  },
  encode: (store) => store,
});

const sticky = z.strictObject({
  by: oneOf(["client-address"]).default("client-address").describe("what a client is"),
  ipv4_prefix: integer(0, 32).default(32)
    .describe("clients that share this many leading bits count as one; 32 is the whole address"),
  ipv6_prefix: integer(0, 128).default(128).describe("the same for IPv6; 128 is the whole address"),
  ttl: duration(TIMED).prefault("10m")
    .describe("a session ends when its client has had no connection for this long"),
  max_entries: integer(1, 10_000_000).default(100_000)
    .describe("at this many sessions the least recently used goes"),
  on_failback: oneOf(["return", "stay"]).default("return")
    .describe("whether a moved client goes back when its backend has recovered"),
  drain: oneOf(["move", "allow"]).default("move").describe(
    "a client whose backend drains or has weight 0 is moved to another; or allowed to come back",
  ),
  store: z.union([memoryStore, sessionStore]).prefault("memory").describe(
    `where sessions are kept: ${STORES}`,
  ),
});

const ejection = z.strictObject({
  failures: integer(1, 1000).default(5).describe("failed connects in a row that eject a backend"),
  base: duration(TIMED).prefault("30s").describe(
    "for how long the first time; the n-th time n times as long",
  ),
  max: duration(TIMED).prefault("5m").describe("and never longer"),
  max_share: share().prefault("50%").describe(
    "at most this share of the backends is ejected at one time",
  ),
});

const slowStart = z.strictObject({
  duration: duration(TIMED).prefault("30s").describe(
    "for so long a backend gains weight, linearly: time in which it takes clients",
  ),
  floor: share().prefault("10%").refine((share) => share >= 0.01, {
    error: () => "must be at least 1%",
  }).describe("the share of its weight with which it begins"),
});

const proxyProtocol = z.strictObject({
  accept_from: prefixes()
    .default([]).describe(
      "proxies that are trusted: a connection from there must begin with a PROXY header, v1 or v2",
    ),
  timeout: duration(TIMED).prefault("3s").describe("for the header to come"),
  send: oneOf(["off", "v1", "v2"]).default("off").describe(
    "tell backends where a client comes from, in this version",
  ),
});

const tls = z.strictObject({
  certificate: path("cert.pem").describe(
    "PEM file: the certificate, then those between it and its CA; relative to this file's directory",
  ),
  key: path("key.pem").describe("PEM file: the certificate's private key, not encrypted"),
  timeout: duration(TIMED).prefault("3s").describe("for a client's handshake"),
});

const backendTls = z.strictObject({
  ca: path("ca.pem").optional().describe(
    "PEM file: CAs that are trusted besides the public ones; relative to this file's directory",
  ),
  server_name: words("a host name").regex(/^[A-Za-z0-9._:-]+$/, {
    error: () => "must be a host name or an IP address",
  }).optional().describe(
    "the name that each certificate must hold; the host of the backend's address if left out",
  ),
});

const queue = z.strictObject({
  length: integer(1, 1_000_000).default(1000).describe("so many may wait; more are refused"),
  timeout: duration(TIMED).prefault("5s").describe("for so long at most"),
});

const timeouts = z.strictObject({
  connect: duration(TIMED).prefault("2s").describe(
    "for a connect to a backend, its TLS handshake included",
  ),
  idle: duration(TIMED).prefault("5m")
    .describe(
      "a connection that carries nothing for this long is closed; if a write waits for a slow " +
        "reader, after a minute at the earliest",
    ),
  drain: duration().prefault("30s")
    .describe("on stopping, how long open connections may take to finish"),
});

const limits = z.strictObject({
  connections: integer(1, 10_000_000).default(1000)
    .describe(
      "at once, over all backends, those that wait included; more are refused. Each takes two " +
        "file descriptors. Raise it for many long connections; lower it if overload makes clients wait",
    ),
  per_client: z.strictObject({
    connections: integer(1, 10_000_000).optional().describe("of one client at once"),
    rate: rate().optional().describe("new ones of one client, like 50/s"),
  }).optional().describe("for each client address (IPv6: each /64); off if left out"),
});

const log = z.strictObject({
  level: oneOf(["debug", "info", "warning", "error"]).default("info")
    .describe("what is less important is left out; debug shows every probe"),
  format: oneOf(["auto", "pretty", "json"]).default("auto")
    .describe("auto: pretty on a terminal, JSON lines otherwise"),
  connections: flag().default(true).describe("log each connection"),
  status_interval: duration(LOGGED).prefault("30s")
    .describe("how often to log a line per backend"),
});

/** Where a balancer listens if a file is silent, as it would be written. */
export const DEFAULT_LISTEN = "127.0.0.1:8000";

/** The whole of config.yaml. */
export const configSchema = z.strictObject({
  listen: address({ anyPort: true }).prefault(DEFAULT_LISTEN)
    .describe("where the balancer listens"),
  algorithm: algorithm.prefault("round-robin").describe(
    `${ALGORITHM_NAMES.join(", ")}; or {name: power-of-two, choices: 3}, ` +
      "{name: maglev, bounded_load: 1.25}: docs/algorithms.md has all parameters",
  ),
  backends: z.array(backend, {
    error: () => "must be a list of backends, each like {id: B1, address: 192.168.1.11:9000}",
  }).min(1, { error: () => "must name at least one backend" }).meta({
    description: "who does the work",
    examples: ["[{id: B1, address: 192.168.1.11:9000}]"],
  }),
  health_check: healthCheck.prefault({}),
  sticky: sticky.optional().describe("a client returns to the backend it had; off if left out"),
  proxy_protocol: proxyProtocol.optional().describe(
    "the client's address through a chain of proxies; off if left out",
  ),
  tls: tls.optional().describe("clients speak TLS to the balancer; off if left out"),
  backend_tls: backendTls.optional().describe(
    "the balancer speaks TLS to backends and verifies their certificates, `{}` by public CAs; " +
      "off if left out",
  ),
  slow_start: slowStart.optional().describe(
    "a backend that has recovered, or is new after a reload, is not flooded; off if left out",
  ),
  ejection: ejection.optional().describe(
    "failed connects keep a backend out for a while; off if left out",
  ),
  queue: queue.optional().describe(
    "while every backend is at its max_connections clients wait, first come, first served; a " +
      "client that closes its connection, or only its sending side, gives up its place; off if left out: they are refused",
  ),
  on_down: oneOf(["keep", "close"]).default("keep").describe(
    "connections on a backend that is marked down: kept while they last, or closed",
  ),
  when_none_available: oneOf(["refuse", "try-anyway"]).default("refuse").describe(
    "when no backend is healthy: clients are refused, or sent to one that may be dead",
  ),
  retries: integer(0, 100).default(3)
    .describe("how many further backends a connection may try when a connect fails"),
  timeouts: timeouts.prefault({}),
  limits: limits.prefault({}),
  allow: prefixes().min(1, {
    error: () => "must name at least one address: nobody could come in",
  }).optional().describe("only clients from these addresses and prefixes; everybody if left out"),
  deny: prefixes().optional()
    .describe("clients from these addresses and prefixes are refused"),
  log: log.prefault({}),
});
