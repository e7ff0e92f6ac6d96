import {
  type Address,
  formatAddress,
  formatPrefix,
  isLocal,
  isLoopback,
  isWildcard,
  parseAddress,
  parseDuration,
  parsePrefix,
} from "../base/mod.ts";
import { algorithmParameters, RING_POINTS_MAX } from "../core/mod.ts";
import { isData } from "./data.ts";
import { TEXT_MAX } from "./scalars.ts";
import { backendKeys, configKeys, ejectionKeys, healthCheckKeys } from "./schema.ts";
import { arrivesAt, ownBackends } from "./own_backend.ts";
import { type Finding, type Path, valueAt } from "./findings.ts";

const CHECKS: readonly ((data: unknown) => Finding[])[] = [
  ...[repeatedIds, repeatedAddresses, itself, timing, expectation],
  ...[tooManyChoices, tooManyPoints, weightless, idle],
  ...[ejectionTimes, noneEjectable, allowedAndDenied, openAdmin, unreachableAdmin],
];

/**
 * Finds combinations of values that are not possible. A schema cannot express such rules. The data are as written in
 * the file, so that these mistakes are reported together with all others. Values that cannot be read are ignored.
 */
export function checkConfig(data: unknown): Finding[] {
  return CHECKS.flatMap((check) => check(data));
}

/** Checks that a machine with these addresses can listen on the configured address. */
export function checkListen(listen: Address, local: readonly string[]): Finding[] {
  const { host } = listen;
  if (/[a-z]/i.test(host) && !host.includes(":")) return []; // A name: the system resolves it.
  if (isWildcard(host) || isLocal(host, local)) return [];
  return [{
    path: ["listen"],
    message: `this machine does not have the address ${host}`,
    hint: `it has ${local.join(", ")}; \`lbsim up\` starts only the roles of this machine, ` +
      "and --listen overrides the address",
    follows: [["listen"]],
  }];
}

function repeatedIds(data: unknown): Finding[] {
  const first = new Map<string, number>();
  return backends(data).flatMap(({ id }, index) => {
    if (typeof id !== "string") return [];
    const earlier = first.get(id);
    if (earlier === undefined) {
      first.set(id, index);
      return [];
    }
    return [{
      path: ["backends", index, "id"],
      message: `backend ${index + 1} has the id of backend ${earlier + 1}: "${id}"`,
      hint: "each backend needs a different id",
    }];
  });
}

function repeatedAddresses(data: unknown): Finding[] {
  const first = new Map<string, number>();
  return backends(data).flatMap((backend, index): Finding[] => {
    const address = read(backend.address, parseAddress);
    if (address === undefined) return [];
    const path: Path = ["backends", index, "address"];
    const text = formatAddress(address);
    const earlier = first.get(text);
    if (earlier === undefined) {
      first.set(text, index);
      return [];
    }
    return [{
      path,
      message: `backend ${index + 1} has the address of backend ${earlier + 1}: ${text}`,
      hint: "to give a backend a larger share, set its weight",
    }];
  });
}

/** Finds backends that are the balancer itself, whatever machine it runs on. */
function itself(data: unknown): Finding[] {
  const listen = read(orDefault(valueAt(data, ["listen"]), configKeys.listen), parseAddress);
  if (listen === undefined) return [];
  const port = valueAt(data, ["health_check", "port"]);
  const type = valueAt(data, ["health_check", "type"]);
  const all = backends(data).map(({ id, address }) => ({
    id: String(id),
    address: read(address, parseAddress) ?? NOWHERE,
  }));
  return ownBackends(
    {
      listen,
      backends: all,
      healthCheck: { port: typeof port === "number" ? port : undefined, type },
    },
    (target) => arrivesAt(listen, target, []),
  );
}

const NOWHERE: Address = { host: "", port: 0 };

/** Whether a duration is longer than another one; false if one of them cannot be read. */
function isLonger(a: unknown, b: unknown): boolean {
  return (read(a, parseDuration) ?? -Infinity) > (read(b, parseDuration) ?? Infinity);
}

/** Two values of a section, and the place of a mistake: the first value, or the second if the first is left out. */
function pairAt(
  data: unknown,
  section: string,
  [name, key]: readonly [string, Defaulted],
  [otherName, otherKey]: readonly [string, Defaulted],
): { readonly first: unknown; readonly second: unknown; readonly path: Path } {
  const given = valueAt(data, [section, name]);
  return {
    first: orDefault(given, key),
    second: orDefault(valueAt(data, [section, otherName]), otherKey),
    path: [section, given === undefined ? otherName : name],
  };
}

function timing(data: unknown): Finding[] {
  const { first: interval, second: timeout, path } = pairAt(
    data,
    "health_check",
    ["interval", healthCheckKeys.interval],
    ["timeout", healthCheckKeys.timeout],
  );
  if (!isLonger(timeout, interval)) return [];
  return [{
    path,
    message: `health_check.interval (${interval}) is shorter than its timeout (${timeout})`,
    hint: "a probe must be able to end before the next begins: " +
      `make interval at least ${timeout}, or timeout at most ${interval}`,
  }];
}

function expectation(data: unknown): Finding[] {
  const type = valueAt(data, ["health_check", "type"]);
  if (type !== "expect" || valueAt(data, ["health_check", "expect"]) !== undefined) return [];
  return [{
    path: ["health_check", "type"],
    message: "health_check.expect is missing: the text that the answer must contain",
    hint: 'add it, like `send: "ping\\n"` and `expect: Hello`',
  }];
}

function tooManyChoices(data: unknown): Finding[] {
  const choices = valueAt(data, ["algorithm", "choices"]);
  const count = backends(data).length;
  if (valueAt(data, ["algorithm", "name"]) !== "power-of-two") return [];
  if (typeof choices !== "number" || choices <= count || count === 0) return [];
  return [{
    path: ["algorithm", "choices"],
    message: `algorithm.choices is ${choices}, but there are only ${count} backends`,
    hint: `at most ${count}`,
  }];
}

function tooManyPoints(data: unknown): Finding[] {
  const algorithm = valueAt(data, ["algorithm"]);
  const name = valueAt(algorithm, ["name"]) ?? algorithm;
  if (name !== "ring-hash") return [];
  const points = valueAt(algorithm, ["points"]) ??
    algorithmParameters("ring-hash")["points"]!.default;
  const weights = backends(data).map(({ weight }) => Number(orDefault(weight, backendKeys.weight)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (typeof points !== "number" || points * total <= RING_POINTS_MAX) return [];
  const given = valueAt(algorithm, ["points"]) === undefined ? [] : ["points"];
  return [{
    path: ["algorithm", ...given],
    message:
      `${points} points for each of ${total} units of weight are ${points * total} points on ` +
      `the ring: at most ${RING_POINTS_MAX} are possible`,
    hint: `at most ${Math.max(1, Math.floor(RING_POINTS_MAX / total))} points, or smaller weights`,
    follows: [["backends"]],
  }];
}

function weightless(data: unknown): Finding[] {
  const all = backends(data);
  // One backend with a weight above 0 is enough. A backup gets clients while all primaries have weight 0.
  if (all.length === 0 || all.some(({ weight }) => weight !== 0)) return [];
  return [{
    path: ["backends"],
    message: "every backend has weight 0: no backend would get a client",
    hint: "give at least one a weight of 1 or more",
  }];
}

/** Finds sections that have no effect. */
function idle(data: unknown): Finding[] {
  const findings: Finding[] = [];
  const limited = backends(data).some((backend) => backend.max_connections !== undefined);
  if (isData(valueAt(data, ["queue"])) && !limited && backends(data).length > 0) {
    findings.push({
      path: ["queue"],
      key: true,
      message: "queue does nothing: no backend has max_connections, so none is ever full",
      hint: "set the number of connections at which a backend is full, like `max_connections: 200`",
    });
  }
  const algorithm = valueAt(data, ["algorithm", "name"]) ?? valueAt(data, ["algorithm"]);
  if (isData(valueAt(data, ["slow_start"])) && algorithm === "first-available") {
    findings.push({
      path: ["slow_start"],
      key: true,
      message: "slow_start does nothing: first-available does not use weights",
      hint: "remove it, or use an algorithm that uses weights",
    });
  }
  const proxy = valueAt(data, ["proxy_protocol"]);
  if (isData(proxy) && proxy.accept_from === undefined && proxy.send === undefined) {
    findings.push({
      path: ["proxy_protocol"],
      key: true,
      message: "proxy_protocol does nothing: it has neither `accept_from` nor `send`",
      hint: "set the proxies from which a header is expected, or the version to send",
    });
  }
  const perClient = valueAt(data, ["limits", "per_client"]);
  if (isData(perClient) && Object.keys(perClient).length === 0) {
    findings.push({
      path: ["limits", "per_client"],
      key: true,
      message: "limits.per_client does nothing: it has neither `connections` nor `rate`",
      hint: "like {connections: 100, rate: 50/s}",
    });
  }
  return findings;
}

function ejectionTimes(data: unknown): Finding[] {
  const keys = [["base", ejectionKeys.base], ["max", ejectionKeys.max]] as const;
  const { first: base, second: max, path } = pairAt(data, "ejection", ...keys);
  if (!isLonger(base, max)) return [];
  return [{
    path,
    message: `ejection.base (${base}) is longer than its max (${max})`,
    hint: "no ejection lasts longer than max",
  }];
}

/** Finds a `max_share` that is less than one backend, so that no backend could be ejected. */
function noneEjectable(data: unknown): Finding[] {
  const ejection = valueAt(data, ["ejection"]);
  const count = backends(data).length;
  if (!isData(ejection) || count === 0) return [];
  const share = orDefault(ejection.max_share, ejectionKeys.max_share);
  const percent = typeof share === "string" ? Number(/^([\d.]+)%$/.exec(share)?.[1]) : NaN;
  if (!(percent * count < 100)) return [];
  return [{
    path: ejection.max_share === undefined ? ["ejection"] : ["ejection", "max_share"],
    ...ejection.max_share === undefined && { key: true },
    message: `ejection does nothing: ${share} of ${count} ${
      count === 1 ? "backend" : "backends"
    } is less than one`,
    hint: `make max_share at least ${Math.ceil(100 / count)}%`,
  }];
}

function allowedAndDenied(data: unknown): Finding[] {
  const [allow, deny] = [valueAt(data, ["allow"]), valueAt(data, ["deny"])];
  if (!Array.isArray(allow) || !Array.isArray(deny)) return [];
  const canonical = (written: unknown) => {
    const prefix = read(written, parsePrefix);
    return prefix === undefined ? [] : [formatPrefix(prefix)];
  };
  const allowed = new Set(allow.flatMap(canonical));
  return deny.flatMap((written: unknown, i): Finding[] =>
    !canonical(written).some((prefix) => allowed.has(prefix)) ? [] : [{
      path: ["deny", i],
      message: `${written} is also on the list allow`,
      hint: "deny overrides allow: remove it from one of the lists",
    }]
  );
}

/** A key of a schema that has a default. */
interface Defaulted {
  readonly def: { readonly defaultValue: unknown };
}

/** The value as written in the file; if it is missing, the default of its schema. */
function orDefault(written: unknown, { def: { defaultValue } }: Defaulted): unknown {
  return written ?? defaultValue;
}

/** Finds an admin API on an address other than loopback without a token: there every request needs the token. */
function openAdmin(data: unknown): Finding[] {
  const admin = valueAt(data, ["admin"]);
  if (isData(admin) && admin.token_file !== undefined) return [];
  const listens: readonly (readonly [Path, unknown])[] = [
    [["admin", "listen"], isData(admin) ? admin.listen : undefined],
    ...backends(data).map(({ admin }, i) => [["backends", i, "admin"], admin] as const),
  ];
  return listens.flatMap(([path, text]) => {
    const listen = read(text, parseAddress);
    if (listen === undefined || isLoopback(listen.host)) return [];
    return [{
      path,
      message: `${text} can be reached from other machines, and there is no token`,
      hint: "add admin.token_file: admin.token, or listen on 127.0.0.1",
    }];
  });
}

/**
 * Finds addresses of backends' admin APIs that do not name one machine. The balancer must be able to connect to them.
 */
function unreachableAdmin(data: unknown): Finding[] {
  return backends(data).flatMap(({ admin, address }, i): Finding[] => {
    const listen = read(admin, parseAddress);
    if (listen === undefined || !isWildcard(listen.host)) return [];
    const host = read(address, parseAddress)?.host ?? "192.168.1.11";
    return [{
      path: ["backends", i, "admin"],
      message:
        `${admin} stands for every address of a machine, so the balancer cannot connect to it`,
      hint: `write an address of the backend's machine, like ${
        formatAddress({ host, port: listen.port })
      }`,
    }];
  });
}

function backends(data: unknown): Record<string, unknown>[] {
  const list = valueAt(data, ["backends"]);
  if (!Array.isArray(list)) return [];
  return list.map((item) => typeof item === "object" && item !== null ? item : {});
}

/** The parsed value; undefined if the parser cannot read it. */
function read<T>(value: unknown, parse: (text: string) => T): T | undefined {
  if (typeof value !== "string" || value.length > TEXT_MAX) return undefined;
  try {
    return parse(value);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
