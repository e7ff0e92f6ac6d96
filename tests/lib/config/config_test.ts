/** config.yaml: valid files are read, and all mistakes of an invalid file are reported with their places. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { configKeys } from "../../../lib/config/schema.ts";
import { type Config, DiagnosticsError, parseConfig } from "../../../lib/config/mod.ts";
import { loadConfig } from "../../../lib/files/mod.ts";
import { NS_PER_MS, NS_PER_S } from "../../../lib/base/mod.ts";

const ROOT = `${import.meta.dirname}/../../../`;
const ONE = "backends: [{id: B1, address: 10.0.0.1:80}]\n";

const parse = (text: string): Config => parseConfig({ file: "config.yaml", text });

/** The error for an invalid text. */
function complaint(text: string): DiagnosticsError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof DiagnosticsError) return error;
    throw error;
  }
  throw new Error(`no mistake is reported in\n${text}`);
}

Deno.test("parseConfig() has a default for everything but the backends", () => {
  const config = parse(ONE);
  assert.deepEqual(config, {
    listen: { host: "127.0.0.1", port: 8000 },
    algorithm: { name: "round-robin" },
    backends: [{
      id: "B1",
      address: { host: "10.0.0.1", port: 80 },
      weight: 1,
      backup: false,
      mode: "ready",
    }],
    healthCheck: {
      type: "tcp",
      interval: 2 * NS_PER_S,
      timeout: NS_PER_S,
      rise: 2,
      fall: 3,
      jitter: 0.1,
      path: "/",
      status: [{ min: 200, max: 399 }],
    },
    onDown: "keep",
    whenNoneAvailable: "refuse",
    retries: 3,
    timeouts: { connect: 2 * NS_PER_S, idle: 300 * NS_PER_S, drain: 30 * NS_PER_S },
    limits: { connections: 1000 },
    log: {
      level: "info",
      format: "auto",
      connections: true,
      statusInterval: 30 * NS_PER_S,
    },
    admin: { hosts: [] },
  });
});

Deno.test("the shipped config.yaml states the defaults", async () => {
  const shipped = await loadConfig(`${ROOT}config.yaml`);
  const { backends, listen } = shipped;
  assert.deepEqual(listen, { host: "192.168.1.10", port: 8000 });
  assert.deepEqual(backends.map(({ id, address }) => [id, address.host, address.port]), [
    ["B1", "192.168.1.11", 9000],
    ["B2", "192.168.1.12", 9000],
    ["B3", "192.168.1.13", 9000],
  ]);
  assert.deepEqual({ ...shipped, backends: [], listen: 0 }, {
    ...parse(ONE),
    backends: [],
    listen: 0,
  });
});

Deno.test("the shipped config.yaml shows the right defaults in the sections that are commented out", async () => {
  const text = await Deno.readTextFile(`${ROOT}config.yaml`);
  for (const section of ["sticky", "queue", "slow_start", "ejection"]) {
    const commented = new RegExp(`^# ${section}:\\n(#   .*\\n)+`, "m").exec(text)?.[0];
    assert.ok(commented !== undefined, `${section} is not shown`);
    const uncommented = commented.replaceAll(/^# /gm, "");
    const two = "{id: B1, address: a:80, max_connections: 5}, {id: B2, address: b:80}";
    const limited = `backends: [${two}]\n`;
    assert.deepEqual(parse(limited + uncommented), parse(`${limited}${section}: {}\n`));
  }
});

Deno.test("the shipped config.yaml shows every key", async () => {
  const text = await Deno.readTextFile(`${ROOT}config.yaml`);
  const keys = Object.entries(configKeys).flatMap(([key, schema]) => [
    key,
    ...schema.def.type === "prefault" || schema.def.type === "optional"
      ? Object.keys((schema.unwrap() as { in?: { shape?: object } }).in?.shape ?? {})
      : [],
  ]);
  assert.ok(keys.length > 40);
  for (const key of keys) assert.match(text, new RegExp(`\\b${key}:`), key);
});

Deno.test("config.yaml names its schema in the first line", async () => {
  const [first] = (await Deno.readTextFile(`${ROOT}config.yaml`)).split("\n");
  const path = /^# yaml-language-server: \$schema=(\S+)$/.exec(first!)?.[1];
  assert.ok((await Deno.stat(`${ROOT}${path}`)).isFile);
});

Deno.test("parseConfig() understands every way to write a value", () => {
  const config = parse(`
listen: "[::1]:8000"
algorithm: {name: power-of-two, choices: 2}
backends:
  - {id: B1, address: "[fe80::1]:80", weight: 3, max_connections: 10}
  - {id: lab.b-2_x, address: lab.local:8080, backup: true}
health_check: {interval: 1m30s, timeout: 500ms, jitter: 0%, type: http, status: ["200", 300-302]}
sticky: {ipv4_prefix: 24, on_failback: stay}
timeouts: {drain: 0s}
`);
  assert.deepEqual(config.listen, { host: "::1", port: 8000 });
  assert.deepEqual(config.algorithm, { name: "power-of-two", choices: 2 });
  assert.deepEqual(config.backends[0], {
    id: "B1",
    address: { host: "fe80::1", port: 80 },
    weight: 3,
    maxConnections: 10,
    backup: false,
    mode: "ready",
  });
  assert.equal(config.healthCheck.interval, 90 * NS_PER_S);
  assert.equal(config.healthCheck.timeout, 500 * NS_PER_MS);
  assert.deepEqual(config.healthCheck.status, [{ min: 200, max: 200 }, { min: 300, max: 302 }]);
  assert.equal(config.sticky?.ipv4Prefix, 24);
  assert.equal(config.timeouts.drain, 0);
  assert.deepEqual(parse(`${ONE}algorithm: least-connections`).algorithm, {
    name: "least-connections",
  });
});

/** The mistake, a text with it, and what the error must contain: place, message and hint. */
const MISTAKES: readonly (readonly [string, string, RegExp])[] = [
  [
    "an unknown key",
    `${ONE}algoritm: random\n`,
    /:2:1: unknown key "algoritm"[^]*did you mean "algorithm"\?/,
  ],
  [
    "an unknown key in a group",
    `${ONE}health_check: {jiter: 5%}\n`,
    /:2:16: unknown key "jiter"[^]*"jitter"\?/,
  ],
  [
    "an unknown key that is similar to no key",
    `${ONE}zzzzzz: 1\n`,
    /:2:1: unknown key "zzzzzz"[^]*listen, algorithm/,
  ],
  ["a repeated key", `${ONE}retries: 1\nretries: 2\n`, /:3:1: "retries" appears twice/],
  [
    "an unknown algorithm",
    `${ONE}algorithm: round-robbin\n`,
    /:2:12: unknown algorithm "round-robbin"[^]*"round-robin"\?/,
  ],
  [
    "an unknown algorithm under the key name",
    `${ONE}algorithm: {name: power-of-tow}\n`,
    /:2:19: unknown algorithm\S* "power-of-tow"[^]*"power-of-two"\?/,
  ],
  [
    "a parameter of another algorithm",
    `${ONE}algorithm: {name: random, choices: 2}\n`,
    /:2:27: unknown key "choices"/,
  ],
  ["a number instead of a list", "backends: 3\n", /:1:11: backends must be a list/],
  [
    "text instead of a number",
    `${ONE}retries: many\n`,
    /:2:10: retries must be a whole number from 0 to 100/,
  ],
  [
    "a fraction instead of a whole number",
    `${ONE}retries: 2.5\n`,
    /:2:10: retries must be a whole number/,
  ],
  [
    "text instead of true or false",
    "backends: [{id: B1, address: 10.0.0.1:80, backup: maybe}]",
    /:1:51: .*backup must be true or false/,
  ],
  [
    "text instead of a group",
    "backends: [{id: B1, address: 10.0.0.1:80}]\nlog: loud\n",
    /:2:6: log must be a group of keys/,
  ],
  [
    "a port out of range",
    "backends: [{id: B1, address: 10.0.0.1:99999}]",
    /:1:30: .*port 99999 is out of range/,
  ],
  ["port 0 for a backend", "backends: [{id: B1, address: 10.0.0.1:0}]", /port 0 is out of range/],
  [
    "an address without a port",
    `${ONE}listen: 10.0.0.2\n`,
    /:2:9: listen: the port is missing: write 10\.0\.0\.2:8000/,
  ],
  [
    "an IPv4 address with a number out of range",
    "backends: [{id: B1, address: 10.0.0.256:80}]",
    /"10\.0\.0\.256" is not an IPv4 address/,
  ],
  ["no backends", "backends: []\n", /:1:11: backends must name at least one/],
  ["backends left out", "retries: 1\n", /backends is missing[^]*B1/],
  [
    "a backend without an id",
    "backends: [{address: 10.0.0.1:80}]",
    /:1:12: backends\[1\]\.id is missing/,
  ],
  [
    "two backends with one id",
    "backends: [{id: B1, address: 10.0.0.1:80}, {id: B1, address: 10.0.0.2:80}]",
    /:1:49: backend 2 has the id of backend 1/,
  ],
  [
    "two backends with one address",
    "backends: [{id: B1, address: 10.0.0.1:80}, {id: B2, address: 10.0.0.1:80}]",
    /:1:62: backend 2 has the address of backend 1/,
  ],
  [
    "a backend where the balancer listens",
    `${ONE}listen: 10.0.0.1:80\n`,
    /:1:30: backend 1 is the balancer itself, because the balancer listens on 10\.0\.0\.1:80/,
  ],
  [
    "a backend that is the balancer by another name of this machine",
    "listen: 0.0.0.0:8000\nbackends: [{id: B1, address: localhost:8000}]\n",
    /:2:30: backend 1 is the balancer itself, because the balancer listens on localhost:8000 \(0\.0\.0\.0:8000\)/,
  ],
  [
    "a backend at the address at which the balancer listens by default",
    "backends: [{id: B1, address: localhost:8000}]\n",
    /:1:30: backend 1 is the balancer itself/,
  ],
  [
    "probes that arrive at the balancer",
    `listen: "[::]:8000"\nbackends: [{id: B1, address: 127.0.0.7:80}]\nhealth_check: {port: 8000}\n`,
    /:3:22: probes of B1 would arrive at the balancer itself/,
  ],
  [
    "a port without a host",
    `${ONE}listen: 8000\n`,
    /:2:9: listen: .*127\.0\.0\.1:8000 .*0\.0\.0\.0:8000/,
  ],
  ["a port after a colon", `${ONE}listen: ":8000"\n`, /:2:9: .*write 127\.0\.0\.1:8000/],
  [
    "a backend's port without a host",
    "backends: [{id: B1, address: 80}]",
    /:1:30: .*write 127\.0\.0\.1:80 for/,
  ],
  [
    "a star as a host, which is an alias in YAML",
    `${ONE}listen: *:8000\n`,
    /:2:9: "\*:8000" is not an address\n.*\n.*\n.*write 0\.0\.0\.0:8000/,
  ],
  ["a star as a host, in quotes", `${ONE}listen: "*:8000"\n`, /:2:9: .*0\.0\.0\.0:8000/],
  [
    "a host with a slash",
    "backends: [{id: B1, address: 'a/b:80'}]",
    /neither an IP address nor a host/,
  ],
  [
    "a URL",
    `${ONE}listen: http://10.0.0.2:80/\n`,
    /is a URL: write only its host and port, like 10\.0\.0\.2:80/,
  ],
  [
    "an address in brackets without quotes",
    `${ONE}listen: [::1]:8000\n`,
    /in quotes: "\[::1\]:8000"/,
  ],
  [
    "an alias without an anchor",
    `${ONE}on_down: *keep\n`,
    /:2:10: \*keep refers to an anchor[^]*"\*keep"/,
  ],
  ["a tag", `${ONE}health_check: {type: expect, expect: !ok}\n`, /:2:38: unknown tag !ok[^]*"!ok"/],
  [
    "a number instead of text",
    `${ONE}health_check: {type: expect, expect: 220}\n`,
    /:2:38: .*put quotes around it/,
  ],
  [
    "a number as an id",
    "backends: [{id: 1, address: 10.0.0.1:80}]",
    /:1:17: .*put quotes around it/,
  ],
  ["true as a path", `${ONE}health_check: {path: true}\n`, /:2:22: .*put quotes around it/],
  ["quotes around a number", `${ONE}retries: "3"\n`, /:2:10: .*remove the quotes/],
  [
    "one status instead of a list",
    `${ONE}health_check: {status: 200}\n`,
    /:2:24: .*list.*\n.*\n.*\n.*status: \[200\]/,
  ],
  [
    "one prefix instead of a list",
    `${ONE}deny: 10.0.0.0/8\n`,
    /:2:7: .*list[^]*deny: \[10\.0\.0\.0\/8\]/,
  ],
  [
    "a status out of range",
    `${ONE}health_check: {status: [600]}\n`,
    /:2:25: .*"600" is not a status/,
  ],
  [
    "a short name of a level",
    `${ONE}log: {level: warn}\n`,
    /:2:14: unknown log\.level "warn"[^]*"warning"/,
  ],
  [
    "a short name of an algorithm",
    `${ONE}algorithm: leastconn\n`,
    /did you mean "least-connections"/,
  ],
  [
    "an algorithm in a list",
    `${ONE}algorithm: [random]\n`,
    /:2:12: algorithm must be text or a group of keys/,
  ],
  ["groups that are nested too deep", "{".repeat(1000), /nested more than 50 deep/],
  ["a group as a key", `${ONE}? {a: 1}\n: 1\n`, /:2:3: a key must be text/],
  [
    "a duration without a unit",
    `${ONE}timeouts: {connect: 2}\n`,
    /:2:21: .*2 has no unit: write 2ms, 2s or 2m/,
  ],
  [
    "an interval of probes that is too short",
    `${ONE}health_check: {interval: 1ms, timeout: 1ms}\n`,
    /:2:26: .*1ms is too short: at least 10ms, because each probe is a connect/,
  ],
  [
    "a timeout that is too short for a timer",
    `${ONE}timeouts: {connect: 999us}\n`,
    /:2:21: .*999us is too short: at least 1ms, because timers/,
  ],
  [
    "a status interval that is too short",
    `${ONE}log: {status_interval: 1ms}\n`,
    /:2:24: .*1ms is too short: at least 100ms/,
  ],
  ["a duration of 0s", `${ONE}timeouts: {connect: 0s}\n`, /must be longer than 0s/],
  ["a jitter without a percent sign", `${ONE}health_check: {jitter: 0.1}\n`, /:2:24: .*write 10%/],
  ["too much jitter", `${ONE}health_check: {jitter: 80%}\n`, /at most 50%/],
  [
    "an interval shorter than its timeout",
    `${ONE}health_check: {interval: 1s, timeout: 2s}\n`,
    /:2:26: health_check\.interval \(1s\) is shorter than its timeout \(2s\)/,
  ],
  [
    "an interval shorter than the default timeout",
    `${ONE}health_check: {interval: 500ms}\n`,
    /:2:26: .*shorter than its timeout \(1s\)/,
  ],
  [
    "a sticky prefix out of range",
    `${ONE}sticky: {ipv4_prefix: 33}\n`,
    /:2:23: sticky\.ipv4_prefix must be a whole number from 0 to 32/,
  ],
  [
    "an unknown session store",
    `${ONE}sticky: {store: sqlite}\n`,
    /:2:17: sticky\.store must be memory, \{sqlite: sessions\.db\} or \{redis: redis:/,
  ],
  [
    "two session stores",
    `${ONE}sticky: {store: {sqlite: a, redis: "redis://h"}}\n`,
    /:2:17: sticky\.store must be memory, \{sqlite/,
  ],
  [
    "a session store whose URL is not a Redis URL",
    `${ONE}sticky: {store: {redis: "http://h"}}\n`,
    /:2:25: sticky\.store\.redis must be a URL like redis:/,
  ],
  [
    "a session store whose URL names no database",
    `${ONE}sticky: {store: {redis: "redis://h/sessions"}}\n`,
    /must end after the host and port, or with the number of a database/,
  ],
  [
    "a timeout for a session store in a file",
    `${ONE}sticky: {store: {sqlite: a, timeout: 3s}}\n`,
    /:2:38: .*applies only to redis/,
  ],
  [
    "more points than a ring may have",
    `backends: [{id: B1, address: 10.0.0.1:80, weight: 256}, {id: B2, address: 10.0.0.2:80, weight: 256}]
algorithm: {name: ring-hash, points: 8193}\n`,
    /:2:38: 8193 points .* 512 units of weight are 4194816 points .*: at most 4194304/,
  ],
  [
    "more choices than backends",
    `${ONE}algorithm: {name: power-of-two, choices: 5}\n`,
    /:2:42: .*there are only 1 backends/,
  ],
  [
    "an expect probe without the expected text",
    `${ONE}health_check: {type: expect}\n`,
    /:2:22: health_check\.expect is missing/,
  ],
  [
    "an admin API that other machines can reach, without a token",
    `${ONE}admin: {listen: "0.0.0.0:9900"}\n`,
    /:2:17: 0\.0\.0\.0:9900 can be reached from other machines[^]*token_file/,
  ],
  [
    "an admin API of a backend on every address",
    'admin: {token_file: t}\nbackends: [{id: B1, address: "10.0.0.1:80", admin: "0.0.0.0:9911"}]\n',
    /:2:52: 0\.0\.0\.0:9911 stands for every address of a machine, [^]*like 10\.0\.0\.1:9911/,
  ],
  [
    "an admin API of a backend on every IPv6 address",
    'admin: {token_file: t}\nbackends: [{id: B1, address: "[fd00::2]:80", admin: "[::]:9911"}]\n',
    /:2:53: \[::\]:9911 stands for every address of a machine, [^]*like \[fd00::2\]:9911/,
  ],
  [
    "a Unix socket of the admin API with a relative path",
    `${ONE}admin: {listen: "unix:admin.sock"}\n`,
    /:2:17: .*a Unix socket needs a path, like unix:\/run\/lbsim\.sock/,
  ],
  [
    "a path in the hosts of the admin API",
    `${ONE}admin: {hosts: ["lab.example/x"]}\n`,
    /:2:17: .*must be a host name or an IP address, without a port/,
  ],
  ["a tab", "\tbackends: []\n", /:1:1: not valid YAML: a tab/],
  ["brackets that are not closed", "backends: [{id: B1\n", /not valid YAML/],
  ["a second document", `${ONE}---\nlisten: 10.0.0.1:80\n`, /second document/],
  ["a file that is a list", "- a\n- b\n", /:1:1: the file must be a group of keys/],
  ["an empty file", "", /^config\.yaml: the file has no settings/],
  ["comments only", "# nothing\n", /the file has no settings/],
  [
    "a required key that is misspelt",
    "backends: [{id: B1, adress: 127.0.0.1:9000}]\n",
    /1:21: unknown key "adress" in backends\[1\]\n.*\n.*\n {2}did you mean "address"\?/,
  ],
  [
    "the only key that every file needs, misspelt",
    "backend: [{id: B1, address: 127.0.0.1:9000}]\n",
    /1:1: unknown key "backend"\n.*\n.*\n {2}did you mean "backends"\?/,
  ],
  [
    "a list that contains itself, under the name of an earlier anchor",
    `allow: &a [10.0.0.0/8]\n${ONE}deny: &a [*a]\n`,
    /3:11: \*a refers to an anchor &a that does not exist/,
  ],
  [
    "a number that is too large",
    `${ONE}listen: ${"1".repeat(400)}\n`,
    /2:9: listen must be an address with its port, like 192\.168\.1\.10:8000\n/,
  ],
  [
    "a value that breaks two rules",
    "backends: [{id: '', address: 127.0.0.1:9000}]\n",
    /1:17: backends\[1\]\.id must be a name, like B1: it is empty/,
  ],
  [
    "a number that breaks two rules, and causes a further mistake",
    "algorithm: ring-hash\nbackends: [{id: B1, address: 127.0.0.1:9000, weight: 1e300}]\n",
    /2:54: backends\[1\]\.weight must be a whole number from 0 to 256/,
  ],
  [
    "a value instead of a list, which cannot be an item of the list either",
    "backends: 3\n",
    /1:11: backends must be a list of backends, [^\n]*\n[^\n]*\n[^\n]*\^$/,
  ],
  [
    "an empty value instead of a list",
    "backends:\n",
    /1:10: backends must be a list of backends, [^\n]*\n[^\n]*\n[^\n]*\^$/,
  ],
];

for (const [what, text, expected] of MISTAKES) {
  Deno.test(`parseConfig() reports a mistake and its place: ${what}`, () => {
    const error = complaint(text);
    assert.match(error.message, expected);
    assert.equal(error.exitCode, 2);
    assert.equal(error.diagnostics.length, 1, error.message);
  });
}

Deno.test("parseConfig() accepts an admin API beyond loopback with a token, one on this machine without a token, or none", () => {
  for (
    const [admin, listen] of [
      ['{listen: "0.0.0.0:9900", token_file: t}', { host: "0.0.0.0", port: 9900 }],
      ['{listen: "[::1]:9900"}', { host: "::1", port: 9900 }],
      ["{listen: unix:/run/lbsim.sock}", { path: "/run/lbsim.sock" }],
      ["{listen: off}", "off"],
      ["{}", undefined],
    ] as const
  ) {
    assert.deepEqual(parse(`${ONE}admin: ${admin}\n`).admin.listen, listen, admin);
  }
});

Deno.test("parseConfig() reads the second value of a key that appears twice, and marks a mistake in that value", () => {
  const { diagnostics } = complaint(`retries: 1\nretries: x\n${ONE}`);
  assert.deepEqual(diagnostics.map(({ at }) => at!.start), [11, 20]);
});

Deno.test("parseConfig() reports a mistake of a whole group together with a mistake inside the group", () => {
  assert.match(
    complaint(`${ONE}sticky: {store: {sqlite: 5, timeout: 1s}}\n`).message,
    /:2:26: sticky\.store\.sqlite must be a path[^]*:2:38: sticky\.store\.timeout: applies only to/,
  );
});

Deno.test("parseConfig() reads where sessions are kept", () => {
  const store = (text: string) => parse(`${ONE}sticky: {store: ${text}}\n`).sticky!.store;
  assert.equal(store("memory"), "memory");
  assert.deepEqual(store("{sqlite: sessions.db}"), { sqlite: "sessions.db" });
  assert.deepEqual(store("{redis: redis://redis.local}"), {
    redis: { host: "redis.local", port: 6379, tls: false, database: 0 },
    timeout: 50e6,
  });
  assert.deepEqual(store('{redis: "rediss://me:p%40ss@[::1]:6380/3", timeout: 5ms}'), {
    redis: {
      host: "::1",
      port: 6380,
      tls: true,
      database: 3,
      username: "me",
      password: "p@ss",
    },
    timeout: 5e6,
  });
});

Deno.test("DiagnosticsError shows no password, because its message may be logged", () => {
  for (
    const store of [
      "{redis: 'redis://me:s3cret@h/x'}",
      "{redis: 'redis://:s3cret@h', timeuot: 1s}",
      "redis://me:s3cret@h",
      "{redis: 'redis://:s3%cret@h'}",
      "{redis: 'redis://me:s3@cret/@h/x'}",
    ]
  ) {
    const { message } = complaint(`${ONE}sticky: {store: ${store}}\n`);
    assert.ok(!/s3|cret/.test(message.replaceAll("redis", "")), message);
    assert.match(message, /\*\*\*\*\*\*@h/);
  }
  const { message } = complaint(`${ONE}sticky: "redis://:s3cret@h"\n`);
  assert.ok(!message.includes("s3cret"), message);
  for (const length of [900, 1100, 5000]) {
    const url = `redis://:${"s3cret".repeat(length / 6)}@h`;
    const long = complaint(`${ONE}sticky: {sore: {redis: "${url}"}}\n`).message;
    assert.ok(!long.includes("s3cret"), long);
  }
});

Deno.test("parseConfig() reports all mistakes at once, in the order of the file", () => {
  const error = complaint(`listen: 1.2.3.4
backends:
  - {id: B1, address: 10.0.0.1:99999}
  - {id: B1, address: 10.0.0.2:80, wieght: 3}
health_check:
  interval: 1
  rise: 0
`);
  assert.deepEqual(error.message.match(/^config\.yaml:\d+:\d+/gm), [
    "config.yaml:1:9",
    "config.yaml:3:23",
    "config.yaml:4:10",
    "config.yaml:4:36",
    "config.yaml:6:13",
    "config.yaml:7:9",
  ]);
});

Deno.test("DiagnosticsError shows the line, with a caret under the place", () => {
  const { message } = complaint(`${ONE}algorithm: round-robbin # 日本\n`);
  assert.equal(
    message,
    `config.yaml:2:12: unknown algorithm "round-robbin"
  2 | algorithm: round-robbin # 日本
    |            ^^^^^^^^^^^^
  did you mean "round-robin"?`,
  );
});

Deno.test("DiagnosticsError marks a wide character with two carets", () => {
  const { message } = complaint(`backends: [{id: "日本", address: 10.0.0.1:80}]\n`);
  const [, line, caret] = message.split("\n");
  assert.equal(caret!.indexOf("^"), line!.indexOf('"'));
  assert.match(caret!, /\^{6}$/, "two columns for each of them, and the quotes");
});

Deno.test("parseConfig() accepts a status as a number or as text", () => {
  const { healthCheck } = parse(`${ONE}health_check: {status: [200, "204", 300-302]}\n`);
  assert.deepEqual(healthCheck.status, [
    { min: 200, max: 200 },
    { min: 204, max: 204 },
    { min: 300, max: 302 },
  ]);
});

Deno.test("DiagnosticsError shows twenty mistakes, and says how many more there are", () => {
  const { diagnostics, message } = complaint(`${ONE}${"a: b\n".repeat(1000)}`);
  assert.equal(diagnostics.length, 21);
  assert.match(message, /^config\.yaml:3:1: "a" appears twice/);
  assert.match(message, /\nconfig\.yaml: and at least 980 more mistakes$/);
});

Deno.test("DiagnosticsError quotes only a part of a very long value", () => {
  for (const text of ["x".repeat(900_000), `"${"1s".repeat(400_000)}"`]) {
    const { message } = complaint(`${ONE}timeouts: {idle: ${text}}\n`);
    assert.ok(message.length < 1000, `${message.length} characters`);
  }
});

const WRONG_FILES: readonly (readonly [string, string])[] = [
  ["20,000 times the same key", "a: b\n".repeat(20_000)],
  ["100,000 keys", Array.from({ length: 100_000 }, (_, i) => `k${i}: b\n`).join("")],
  ["half a million brackets", "[".repeat(500_000)],
  ["half a million braces", "{".repeat(500_000)],
  ["lists in lists", "- ".repeat(250_000)],
  ["keys in keys", "? ".repeat(250_000)],
  ["empty lines", "\n".repeat(1_000_000)],
  ["comments", "# what a comment\n".repeat(60_000)],
  ["a long list", "- a\n".repeat(250_000)],
  ["a long line", `a: ${"x".repeat(1_000_000)}`],
  ["a list that is its own item", "a: &a [*a]\n"],
  ["aliases of a long list", `a: &a [${"x,".repeat(10_000)}]\nb: [${"*a,".repeat(1000)}]\n`],
  [
    "backends whose keys are all unknown",
    `backends:\n${"  - {idd: B1, addres: x}\n".repeat(15_000)}`,
  ],
];

for (const [what, text] of WRONG_FILES) {
  Deno.test(`parseConfig() reports the mistake in a few lines: ${what}`, () => {
    const { diagnostics, message } = complaint(text);
    assert.ok(message.length < 20_000, `${message.length} characters`);
    assert.ok(diagnostics.length <= 21);
  });
}

Deno.test("parseConfig() reports aliases that expand to billions of values", () => {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 10; i++) {
    const alias = Array(9).fill(`*a${i - 1}`).join(", ");
    lines.push(`a${i}: &a${i} [${alias}]`);
  }
  assert.ok(complaint(lines.join("\n")).message.length < 100_000);
});

Deno.test("parseConfig() returns a configuration or throws diagnostics for any change of the shipped config.yaml", async () => {
  const shipped = await Deno.readTextFile(`${ROOT}config.yaml`);
  const scrap = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.constantFrom(
      ...": - [ ] { } , # & * ! | > ' \" % @ ` \n \t &a *a << null ~ 1e999 2s -1".split(" "),
    ),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: shipped.length }), fc.nat({ max: 30 }), scrap), {
        minLength: 1,
        maxLength: 4,
      }),
      (edits) => {
        let text = shipped;
        for (const [at, length, insert] of edits) {
          text = text.slice(0, at) + insert + text.slice(at + length);
        }
        try {
          parse(text);
        } catch (error) {
          assert.ok(error instanceof DiagnosticsError, String(error));
          assert.ok(error.diagnostics.length > 0);
        }
      },
    ),
    { numRuns: 1000 },
  );
});
