import assert from "node:assert/strict";
import fc from "fast-check";
import { NS_PER_MS, NS_PER_S } from "../../../lib/base/mod.ts";
import { DiagnosticsError } from "../../../lib/config/diagnostic.ts";
import { parseStudy, ScenarioDraft, type Study } from "../../../lib/scenario/study.ts";
import { YamlFile } from "../../../lib/config/yaml_file.ts";
import { UserError } from "../../../lib/base/user_error.ts";
import { meanOf, scvOf } from "../../../lib/stats/variates.ts";

const CONFIG = `backends:
  - {id: B1, address: 10.0.0.1:80}
  - {id: B2, address: 10.0.0.2:80, weight: 3}
algorithm: random
health_check: {interval: 1s, timeout: 500ms}
`;

function parse(text: string, set: readonly string[] = [], trace = "at\n0\n"): Study {
  return parseStudy({
    scenario: { file: "scenario.yaml", text },
    files: {
      "config.yaml": { file: "config.yaml", text: CONFIG },
      "visits.csv": { file: "visits.csv", text: trace },
    },
    set,
  });
}

function only(text: string, set: readonly string[] = []) {
  const { variants } = parse(text, set);
  assert.equal(variants.length, 1);
  return variants[0]!.scenario;
}

Deno.test("parseStudy() needs only a number of backends, and fills in all defaults", () => {
  const { variants, seed, repetition, expect } = parse("balancer: {backends: 3}");
  const [{ name, scenario }] = variants as [(typeof variants)[0]];
  assert.deepEqual([name, seed, repetition, expect], ["round-robin", 1, { replications: 10 }, []]);
  assert.deepEqual(scenario.balancer.backends.map(({ id }) => id), ["B1", "B2", "B3"]);
  assert.deepEqual(scenario.workload.arrivals, { kind: "poisson", rate: 240 });
  assert.deepEqual(scenario.service, { kind: "exponential", mean: 10 * NS_PER_MS });
  assert.deepEqual([scenario.end, scenario.warmup], [{ duration: 60 * NS_PER_S }, 6 * NS_PER_S]);
  assert.equal(scenario.workload.timeout, Infinity);
  assert.deepEqual(scenario.servers[2], {
    slots: 1,
    queue: Infinity,
    speed: 1,
    discipline: "fifo",
    abandoned: "serve",
  });
});

Deno.test("parseStudy() extends a live balancer's file, and the scenario's keys override it", () => {
  const { balancer } = only(
    "extends: config.yaml\nbalancer: {algorithm: power-of-two, health_check: {interval: 3s}}",
  );
  assert.deepEqual(balancer.algorithm, { name: "power-of-two", choices: 2 });
  assert.deepEqual(balancer.backends.map(({ weight }) => weight), [1, 3]);
  const { interval, timeout } = balancer.healthCheck;
  assert.deepEqual([interval, timeout], [3 * NS_PER_S, 500 * NS_PER_MS]);
});

Deno.test("parseStudy() gives each server its own settings, and the default for the others", () => {
  const { servers } = only(`
balancer: {backends: 3}
servers:
  default: {slots: 4, queue: 100}
  B2: {queue: unlimited, speed: 0.5}
`);
  assert.deepEqual(servers.map(({ slots, queue, speed }) => [slots, queue, speed]), [
    [4, 100, 1],
    [4, Infinity, 0.5],
    [4, 100, 1],
  ]);
});

Deno.test("parseStudy() reads a load as a share of the capacity of all backends except backups", () => {
  const { workload } = only(`
balancer: {backends: [{id: a}, {id: b}, {id: c, backup: true}]}
servers: {b: {speed: 3, slots: 2}}
service: 20ms
workload: {arrivals: {deterministic: {load: 50%}}, requests_per_connection: 5}
`);
  assert.deepEqual(workload.arrivals, { kind: "deterministic", rate: 0.5 * 7 / 0.02 / 5 });
});

Deno.test("parseStudy() makes a variant for every combination of compared values, in order, and names it", () => {
  const { variants } = parse(`
balancer: {backends: 4}
compare:
  balancer.algorithm: [random, {name: power-of-two, choices: 3}]
  balancer.health_check.interval: [2s, 5s]
`);
  assert.deepEqual(variants.map(({ name }) => name), [
    "random, interval=2s",
    "random, interval=5s",
    "power-of-two choices=3, interval=2s",
    "power-of-two choices=3, interval=5s",
  ]);
  assert.deepEqual(variants[3]!.settings, {
    "balancer.algorithm": { name: "power-of-two", choices: 3 },
    "balancer.health_check.interval": "5s",
  });
  assert.equal(variants[3]!.scenario.balancer.healthCheck.interval, 5 * NS_PER_S);
});

const SETTINGS: readonly [set: string, read: (study: Study) => unknown, value: unknown][] = [
  ["workload.arrivals.rate=900/s", rate, 900],
  ["workload.arrivals.load=50%", rate, 150],
  ["workload.arrivals.deterministic.rate=60/m", rate, 1],
  ["service.mean=20ms", ({ variants }) => meanOf(variants[0]!.scenario.service), 20 * NS_PER_MS],
  ["service=1ms", ({ variants }) => scvOf(variants[0]!.scenario.service), 0],
  ["seed=7", ({ seed }) => seed, 7],
  ["replications=3", ({ repetition }) => repetition, { replications: 3 }],
  ["connections=1_000", ({ variants }) => variants[0]!.scenario.end, { connections: 1000 }],
  ["faults[1].for=9s", ({ variants }) => variants[0]!.scenario.faults[0]!.for, 9 * NS_PER_S],
  ["balancer.algorithm={name: power-of-two, choices: 3}", algorithm, {
    name: "power-of-two",
    choices: 3,
  }],
  ["servers.B1.speed=2", ({ variants }) => variants[0]!.scenario.servers[0]!.speed, 2],
];

function rate({ variants }: Study): unknown {
  const { arrivals } = variants[0]!.scenario.workload;
  return "rate" in arrivals ? arrivals.rate : undefined;
}

function algorithm({ variants }: Study): unknown {
  return variants[0]!.scenario.balancer.algorithm;
}

const BASE = `
balancer: {backends: 3}
duration: 30s
precision: {relative: 5%}
workload: {arrivals: {poisson: {rate: 800/s}}}
faults: [{at: 1s, for: 2s, backend: B1, kind: crash}]
`;

for (const [set, read, value] of SETTINGS) {
  Deno.test(`parseStudy() overrides the file by --set ${set}`, () => {
    assert.deepEqual(read(parse(BASE, [set])), value);
  });
}

Deno.test("parseStudy() refuses --set of item 0, which no list has", () => {
  assert.throws(
    () => parse(BASE, ["faults[0].for=9s"]),
    /--set faults\[0\].for=9s: items .* from 1/,
  );
});

Deno.test("parseStudy() applies --set to a part of a default that is not in the file", () => {
  const { workload } = only("balancer: {backends: 1}", ["workload.arrivals.load=50%"]);
  assert.deepEqual(workload.arrivals, { kind: "poisson", rate: 50 });
});

Deno.test("parseStudy() reads every kind of arrivals, service and fault", () => {
  const arrivals = [
    "poisson: 5/s",
    "deterministic: {rate: 5/s}",
    "renewal: {gap: {erlang: {stages: 2, mean: 1s}}}",
    "mmpp: {states: [{rate: 5/s, stay: 1m}, {rate: none, stay: 10s}]}",
    "on_off: {rate: 5/s, on: 1s, off: {exponential: 2s}}",
    "diurnal: {rate: 5/s, amplitude: 50%, period: 1h}",
    "closed: {clients: 20, think: 10ms}",
    "trace: visits.csv",
  ];
  for (const text of arrivals) {
    const { workload } = only(`balancer: {backends: 1}\nworkload: {arrivals: {${text}}}`);
    assert.equal(workload.arrivals.kind, text.split(":")[0]);
  }
  const services = [
    "deterministic: 10ms",
    "deterministic: {value: 10ms}",
    "exponential: 10ms",
    "uniform: {min: 5ms, max: 15ms}",
    "erlang: {stages: 3, mean: 10ms}",
    "lognormal: {mean: 10ms, sigma: 1}",
    "hyperexponential: {mean: 10ms, scv: 4}",
    "hyperexponential: {phases: [{probability: 0.5, mean: 5ms}, {probability: 0.5, mean: 15ms}]}",
    "empirical: {values: [5ms, 25ms], weights: [3, 1]}",
  ];
  for (const text of services) {
    const { service } = only(`balancer: {backends: 1}\nservice: {${text}}`);
    assert.equal(Math.round(meanOf(service)), 10 * NS_PER_MS, text);
  }
  const { service } = only(
    "balancer: {backends: 1}\nservice: {hyperexponential: {mean: 1s, scv: 9}}",
  );
  assert.ok(Math.abs(scvOf(service) - 9) < 1e-9);
  const kinds = [
    ...["crash", "hang", "pause", "partition", "{slow: 5}", "{fail-rate: 20%}"],
    ...["{fast-errors: 100%}", "{gray: {rate: 30%, slow: 2}}", "{flap: {period: 10s}}"],
  ];
  for (const kind of kinds) {
    const { faults } = only(
      `balancer: {backends: 2}\nfaults: [{at: 1s, for: 1s, backend: [B1, B2], kind: ${kind}}]`,
    );
    assert.equal(faults.length, 2);
    assert.ok(kind.includes(faults[1]!.kind.name), kind);
  }
  const { faults } = only(
    "balancer: {backends: 2}\nload_balancers: 2\n" +
      "faults: [{at: 1s, for: 1s, kind: lb-restart, load_balancer: 2}]",
  );
  assert.deepEqual(faults, [
    { at: NS_PER_S, for: NS_PER_S, loadBalancer: 1, kind: { name: "lb-restart" } },
  ]);
});

Deno.test("parseStudy() reads a trace with rows in any order, with clients and work if they are known", () => {
  const trace = "client,at,service\n3,2s,5ms\n,0.5,\n";
  const text = "balancer: {backends: 1}\nworkload: {arrivals: {trace: visits.csv}}";
  const { arrivals } = parse(text, [], trace).variants[0]!.scenario.workload;
  assert.deepEqual(arrivals, {
    kind: "trace",
    entries: [{ at: NS_PER_S / 2 }, { at: 2 * NS_PER_S, client: 3, work: 5 * NS_PER_MS }],
  });
});

/** Scenarios with a mistake, and the message about it. */
const MISTAKES: readonly [name: string, text: string, message: RegExp][] = [
  ["an empty file", "", /scenario\.yaml: the file has no settings\n {2}it needs at least `extends/],
  ["no backends", "seed: 1", /there are no backends\n[^]*add `extends: config\.yaml` or/],
  [
    "an unknown key",
    "balancer: {backends: 1}\nworklod: {}",
    /scenario\.yaml:2:1: unknown key "worklod"[^]*did you mean "workload"\?/,
  ],
  [
    "an unknown key of the balancer",
    "balancer: {backends: 1, algoritm: random}",
    /:1:25: unknown key "algoritm" in balancer[^]*did you mean "algorithm"\?/,
  ],
  [
    "an unknown algorithm",
    "balancer: {backends: 1, algorithm: randm}",
    /unknown balancer\.algorithm "randm"[^]*did you mean "random"\?/,
  ],
  [
    "an interval shorter than its timeout",
    "balancer:\n  backends: 1\n  health_check: {interval: 100ms}",
    /:3:28: health_check\.interval \(100ms\) is shorter/,
  ],
  [
    "an unknown kind of arrivals",
    "balancer: {backends: 1}\nworkload: {arrivals: {poison: {rate: 5/s}}}",
    /:2:23: unknown key "poison" in workload\.arrivals[^]*did you mean "poisson"\?/,
  ],
  [
    "two kinds of service",
    "balancer: {backends: 1}\nservice: {exponential: 1ms, deterministic: 1ms}",
    /service: deterministic and exponential: use only one of them/,
  ],
  [
    "no kind of service",
    "balancer: {backends: 1}\nservice: {}",
    /service: needs one of these keys: deterministic, exponential/,
  ],
  [
    "a rate without a unit",
    "balancer: {backends: 1}\nworkload: {arrivals: {poisson: {rate: 5}}}",
    /:2:39: workload\.arrivals\.poisson\.rate: 5 has no unit: write 5\/s/,
  ],
  [
    "a rate and a load",
    "balancer: {backends: 1}\nworkload: {arrivals: {poisson: {rate: 5/s, load: 5%}}}",
    /rate and load: use only one of them/,
  ],
  [
    "neither a rate nor a load",
    "balancer: {backends: 1}\nworkload: {arrivals: {poisson: {}}}",
    /needs a rate or a load, like `rate: 800\/s` or `load: 80%`/,
  ],
  [
    "a service without a unit",
    "balancer: {backends: 1}\nservice: 10",
    /service: 10 has no unit: write 10ms, 10s or 10m/,
  ],
  [
    "a minimum above the maximum",
    "balancer: {backends: 1}\nservice: {uniform: {min: 2s, max: 1s}}",
    /service\.uniform: min is larger than max/,
  ],
  [
    "a duration and a number of connections",
    "balancer: {backends: 1}\nduration: 1s\nconnections: 5",
    /duration and connections: use only one of them/,
  ],
  [
    "a warm-up as long as the run",
    "balancer: {backends: 1}\nduration: 10s\nwarmup: 10s",
    /:3:9: the warm-up is as long as the run, so nothing would be measured/,
  ],
  [
    "a server that is no backend",
    "balancer: {backends: [{id: web-1}]}\nservers: {web-2: {slots: 2}}",
    /:2:11: there is no backend "web-2"[^]*did you mean "web-1"\?/,
  ],
  [
    "a fault of an unknown backend",
    "balancer: {backends: 3}\nfaults: [{at: 1s, backend: B9, kind: crash}]",
    /:2:28: there is no backend "B9"/,
  ],
  ...["faults[0].kind", "faults.0.kind"].map((key): typeof MISTAKES[number] => [
    `a comparison of item 0: ${key}`,
    `balancer: {backends: 3}\nfaults: [{at: 1s, backend: B1, kind: crash}]\ncompare: {"${key}": [crash, hang]}`,
    /:3:11: "faults[^]*kind": items of a list are counted from 1: there is no item 0/,
  ]),
  [
    "an unknown fault",
    "balancer: {backends: 3}\nfaults: [{at: 1s, backend: B1, kind: crsh}]",
    /unknown faults\[1\]\.kind "crsh"[^]*did you mean "crash"\?/,
  ],
  [
    "a fault after the end",
    "balancer: {backends: 3}\nduration: 1s\nfaults: [{at: 1s, backend: B1, kind: crash}]",
    /the fault begins after the end of the run/,
  ],
  [
    "a fault without a backend",
    "balancer: {backends: 3}\nfaults: [{at: 1s, kind: crash}]",
    /the backend is missing[^]*add it, like `backend: B1`/,
  ],
  [
    "a balancer that does not exist",
    "balancer: {backends: 3}\nfaults: [{at: 1s, backend: B1, kind: partition, load_balancer: 2}]",
    /there is no load balancer 2: 1 in all/,
  ],
  [
    "a comparison of a key that cannot be compared",
    "balancer: {backends: 3}\ncompare: {balancr.algorithm: [random]}",
    /:2:11: "balancr\.algorithm" cannot be compared[^]*did you mean "balancer"\?/,
  ],
  [
    "a wrong value in a comparison",
    "balancer: {backends: 3}\ncompare: {balancer.algorithm: [random, rndom]}",
    /:2:40: unknown balancer\.algorithm "rndom"[^]*did you mean "random"\?/,
  ],
  [
    "an expectation without a comparison",
    "balancer: {backends: 3}\nexpect: [p99_ms]",
    /:2:10: "p99_ms" has no comparison: write it like p99_ms < 80/,
  ],
  [
    "an unknown metric",
    'balancer: {backends: 3}\nexpect: ["p98_ms < 5"]',
    /unknown metric "p98_ms": did you mean "p9/,
  ],
  [
    "an expectation of an unknown backend",
    'balancer: {backends: 3}\nexpect: ["share(B7) < 5%"]',
    /there is no backend "B7"/,
  ],
  [
    "an expectation of a backend that only some variants have",
    'balancer: {backends: 3}\ncompare: {balancer.backends: [2, 3]}\nexpect: ["share(B3) < 50%"]',
    /variant "backends=2" has no backend "B3"/,
  ],
  [
    "an expectation of two values of one setting",
    "balancer: {backends: 3}\ncompare: {balancer.algorithm: [random, maglev]}\n" +
    'expect: ["p99_ms[random, maglev] < 5"]',
    /there is no variant "random, maglev"/,
  ],
  [
    "a bound whose name two variants have",
    "balancer: {backends: 3}\ncompare: {balancer.algorithm: [maglev, random, random]}\n" +
    'expect: ["p99_ms[maglev] < p99_ms[random]"]',
    /there are 2 variants "random"/,
  ],
  [
    "a bound that is a value of two settings",
    "balancer: {backends: 3}\nworkload: {arrivals: {poisson: 1/s}}\n" +
    "compare: {balancer.sticky: ['off', {}], balancer.ejection: ['off', {failures: 5}]}\n" +
    'expect: ["p99_ms < p99_ms[off]"]',
    /"off" is a value of 2 compared settings/,
  ],
  [
    "an expectation of an unknown variant",
    'balancer: {backends: 3}\nexpect: ["p99_ms[maglef] < 5"]',
    /there is no variant "maglef"/,
  ],
  [
    "a precision of an unknown metric",
    "balancer: {backends: 3}\nprecision: {metric: p97_ms}",
    /unknown metric "p97_ms"/,
  ],
  [
    "a precision of a maximum",
    "balancer: {backends: 3}\nprecision: {metric: answered_max_ms}",
    /answered_max_ms has no interval[^]*for example answered_p99_ms/,
  ],
  [
    "a load of unlimited backends",
    "balancer: {backends: 3}\nservers: {default: {slots: unlimited}}",
    /load is a share of the backends' capacity, which is unlimited/,
  ],
  [
    "arrivals of an unknown kind",
    "balancer: {backends: 3}\nworkload: {arrivals: {poison: {rate: 3/s}}}",
    /:2:23: unknown key "poison" in workload\.arrivals[^]*did you mean "poisson"\?/,
  ],
  [
    "a rate that is misspelt",
    "balancer: {backends: 3}\nworkload: {arrivals: {poisson: {rat: 3/s}}}",
    /:2:33: unknown key "rat" in workload\.arrivals\.poisson[^]*did you mean "rate"\?/,
  ],
  [
    "an unknown distribution",
    "balancer: {backends: 3}\nservice: {gaussian: 3ms}",
    /:2:11: unknown key "gaussian" in service[^]*one of: deterministic, exponential/,
  ],
  [
    "an unknown fault with a parameter",
    "balancer: {backends: 3}\nfaults: [{at: 1s, backend: B1, kind: {slo: 2}}]",
    /:2:39: unknown key "slo" in faults\[1\]\.kind[^]*did you mean "slow"\?/,
  ],
  [
    "a server's key that is misspelt",
    "balancer: {backends: 3}\nservers: {B1: {slotz: 2}}",
    /:2:16: unknown key "slotz" in servers\.B1[^]*did you mean "slots"\?/,
  ],
  [
    "a number that is not whole, for a key that also takes a word",
    "balancer: {backends: 3}\nservers: {B1: {slots: 1.5}}",
    /:2:23: servers\.B1\.slots must be a whole number of at least 1/,
  ],
  [
    "a text that is not a duration, for a key that also takes a word",
    "balancer: {backends: 3}\nwarmup: 50%",
    /:2:9: warmup: "50%" is not a duration[^]*\n {2}or: auto$/,
  ],
  [
    "an empty list",
    "balancer: {backends: 3}\nservice: {empirical: {values: []}}",
    /:2:31: service\.empirical\.values must list at least one value/,
  ],
  [
    "a list in the place of servers",
    "balancer: {backends: 3}\nservers: []",
    /:2:10: servers must be a group of keys, not a list/,
  ],
  [
    "a comparison of a key that does not exist, with valid values",
    "balancer: {backends: 3}\ncompare: {balancer.algoritm: [random, maglev]}",
    /:2:11: unknown key "algoritm" in balancer[^]*did you mean "algorithm"\?/,
  ],
  [
    "a comparison under a key that does not exist",
    "balancer: {backends: 3}\ncompare: {workload.arrival.poisson.rate: [1/s, 2/s]}",
    /:2:11: unknown key "arrival" in workload[^]*did you mean "arrivals"\?/,
  ],
  [
    "a precision of a backend's metric",
    "balancer: {backends: 3}\nprecision: {metric: share}",
    /:2:21: share is a metric of a backend, not of the whole run/,
  ],
];

for (const [name, text, message] of MISTAKES) {
  Deno.test(`parseStudy() reports a mistake with its place: ${name}`, () => {
    assert.throws(() => parse(text), (error) => {
      assert.ok(error instanceof DiagnosticsError, String(error));
      assert.match(error.message, message);
      assert.equal(error.diagnostics.length, 1, error.message);
      return true;
    });
  });
}

Deno.test("parseStudy() reports all mistakes at once, and each of them once", () => {
  const text = `
balancer: {backends: 3}
service: 10
servers: {B7: {}}
expect: ["nonsense"]
compare: {balancer.algorithm: [random, round-robin]}
`;
  assert.throws(() => parse(text.replace("10", "10ms")), (error) => {
    assert.ok(error instanceof DiagnosticsError);
    assert.deepEqual(error.diagnostics.length, 2);
    return true;
  });
});

for (
  const [set, message] of [
    ["balancr.x=1", /^--set balancr\.x=1: unknown key "balancr"$/],
    ["balancer.algoritm.name=random", /^--set [^ ]*: unknown key "algoritm" in balancer$/],
    ["servers[1].slots=2", /^--set [^ ]*: there is no backend "0"$/],
    ["seed.x=1", /^--set seed\.x=1: seed must be a whole number/],
    [
      "faults[2].at=1s",
      /^--set faults\[2\]\.at=1s: there is no faults\[2\]: the list has 1 items$/,
    ],
  ] as const
) {
  Deno.test(`parseStudy() blames the flag that is wrong, not the file: ${set}`, () => {
    const text = "balancer: {backends: 2}\nfaults: [{at: 30s, backend: B1, kind: crash}]\n";
    assert.throws(() => parse(text, [set]), (error) => {
      assert.ok(error instanceof UserError && !(error instanceof DiagnosticsError), String(error));
      assert.match(error.message, message);
      return true;
    });
  });
}

/** Settings that are wrong together with the file, and the messages. */
const TOGETHER: readonly (readonly [set: string, says: RegExp])[] = [
  ["duration=2s", /^UserError: --set duration=2s: the warm-up is as long as the run/],
  ["duration=6s", /^UserError: --set duration=6s: the fault begins after the end of the run/],
  ["balancer.backends=2", /^UserError: --set balancer\.backends=2: there is no backend "B3"/],
  [
    "balancer.health_check.timeout=10s",
    /^UserError: --set balancer\.health_check\.timeout=10s: health_check\.interval \(1s\) is shorter/,
  ],
  ["compare={balancer.algorithm: [random]}", /^UserError: --set compare=.*: there is no variant/],
];

for (const [set, says] of TOGETHER) {
  Deno.test(`parseStudy() blames the flag for a mistake that comes from the flag and the file together: ${set}`, () => {
    const text = `balancer: {backends: 3, health_check: {interval: 1s, timeout: 500ms}}
duration: 60s
warmup: 5s
servers: {B3: {speed: 2}}
compare: {balancer.algorithm: [random, round-robin]}
faults: [{at: 10s, backend: B1, kind: crash}]
expect: ["p99_ms[round-robin] < 1s"]
`;
    parse(text);
    assert.throws(() => parse(text, ["seed=3", set]), says);
  });
}

Deno.test("parseStudy() does not blame a flag for a mistake of the file", () => {
  assert.throws(
    () => parse("balancer: {backends: 1}\nduration: 1s\nwarmup: 2s\n", ["seed=3"]),
    /^DiagnosticsError: scenario\.yaml:3:9: the warm-up/,
  );
});

Deno.test("parseStudy() refuses a setting that every variant would override", () => {
  const text = `
balancer: {backends: 2}
compare: {workload.retries.max: [0, 4], workload.arrivals.load: [50%]}
`;
  for (const set of ["workload.retries.max=2", "workload.arrivals.poisson.load=70%"]) {
    assert.throws(() => parse(text, [set]), (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(
        error.message,
        `--set ${set}: has no effect, because \`compare\` sets the same key`,
      );
      assert.equal(error.exitCode, 2);
      const [key, value] = set.split("=");
      assert.equal(error.hint, `to try that alone: --set "compare={${key}: [${value}]}"`);
      return true;
    });
  }
  assert.equal(
    parse(text, ["workload.retries.backoff=2s", "workload.timeout=1s"]).variants.length,
    2,
  );
});

const TRACED = "balancer: {backends: 1}\nworkload: {arrivals: {trace: visits.csv}}\n";

/** When connections come, in seconds, and how long the run is. */
function traced(trace: string, text = "") {
  const { end, warmup, workload: { arrivals } } =
    parse(TRACED + text, [], trace).variants[0]!.scenario;
  assert.ok(arrivals.kind === "trace");
  return { at: arrivals.entries.map(({ at }) => at / NS_PER_S), end, warmup };
}

Deno.test("parseStudy() runs a whole trace, unless the scenario limits the run", () => {
  const rows = Array.from({ length: 300 }, (_, i) => `${i}`).join("\n");
  const { end, warmup } = traced(`at\n${rows}\n`);
  assert.deepEqual(end, { duration: 300 * NS_PER_S });
  assert.equal(warmup, 30 * NS_PER_S);
  assert.deepEqual(traced("at\n0.5\n1.5\n").end, { duration: 2.5 * NS_PER_S });
  assert.deepEqual(traced("at\n7\n").end, { duration: 7 * NS_PER_S + 1 });
  assert.deepEqual(traced(`at\n${rows}\n`, "duration: 1m\n").end, { duration: 60 * NS_PER_S });
  assert.deepEqual(traced(`at\n${rows}\n`, "connections: 9\n").end, { connections: 9 });
});

Deno.test("parseStudy() counts the times of a trace from the first one if they are those of a clock", () => {
  assert.deepEqual(traced("at\n1700000002.25\n1700000000.123456789\n1700000001\n").at, [
    0,
    0.876543211,
    2.126543211,
  ]);
  // Times since the beginning of a day are not converted.
  assert.deepEqual(traced("at\n50000\n50001\n").at, [50000, 50001]);
});

Deno.test("parseStudy() reads numbers and cells as other programs write them", () => {
  assert.deepEqual(traced('"at"\r\n"0.5"\r\n9.5e-05\r\n1.\r\n1m1.5s\r\n').at, [
    0.000095,
    0.5,
    1,
    61.5,
  ]);
});

const WRONG_TRACES: readonly (readonly [string, string, string, RegExp])[] = [
  ["milliseconds", "at\n1700000000123\n", "", /visits\.csv:2: at: .*not in milliseconds/],
  ["days apart", "at\n1\n1700000000\n", "", /19676 days apart/],
  [
    "no header",
    "0.1\n0.2\n",
    "",
    /:1: unknown column "0\.1"\n.*\n.*\n +the first line names the columns/,
  ],
  ["a date", "at\n2026-01-01\n", "", /:2: at: "2026-01-01" is not a time/],
  ["no connections", "at\n", "", /the trace has no connections/],
  [
    "an end before the default warm-up is over",
    "at\n0\n1\n2\n",
    "duration: 1m\n",
    /nothing would be measured: the trace ends at 2s, and the warm-up takes 6s[^]*without `duration`, [^]*a tenth of it;\s+or set `warmup: 0s`/,
  ],
  [
    "an end before the given warm-up is over",
    "at\n0\n2\n",
    "warmup: 5s\n",
    /:3:9: nothing would be measured[^]*make `warmup` shorter than the trace, or set `warmup: 0s`/,
  ],
  [
    "an end before the given warm-up of a longer run is over",
    "at\n0\n2\n",
    "duration: 20s\nwarmup: 5s\n",
    /:4:9: nothing would be measured[^]*make `warmup` shorter than the trace, or set `warmup: 0s`/,
  ],
  [
    "a beginning after the end of the run",
    "at\n50000\n",
    "duration: 1m\n",
    /:3:11: no client would come: the trace begins at 13h53m20s/,
  ],
  ["too few connections", "at\n0\n", "connections: 2\n", /:3:14: the trace has only 1 connection/],
];

for (const [what, trace, text, expected] of WRONG_TRACES) {
  Deno.test(`parseStudy() says what is wrong with a trace: ${what}`, () => {
    assert.throws(() => parse(TRACED + text, [], trace), (error) => {
      assert.ok(error instanceof DiagnosticsError);
      assert.match(error.message, expected);
      assert.equal(error.diagnostics.length, 1, error.message);
      return true;
    });
  });
}

Deno.test("parseStudy() reports mistakes of keys, of backends and of the trace at once", () => {
  const text = `balancer: {backends: 2, algorithm: foo}
faults:
  - {at: 1s, backend: B1, kind: crsh}
  - {at: 1s, backend: B9, kind: crash}
  - {at: 2m, backend: B1, kind: crash}
servers: {B7: {slots: 2}}
expect: ["p99_ms < "]
workload: {arrivals: {trace: visits.csv}}
seed: x
`;
  assert.throws(() => parse(text, [], "at\n1\n2\nx\n"), (error) => {
    assert.ok(error instanceof DiagnosticsError);
    assert.deepEqual(error.located().map(({ line }) => line), [1, 3, 4, 6, 7, 8, 9], error.message);
    return true;
  });
});

Deno.test("parseStudy() reports a wrong compared value once", () => {
  const text =
    "balancer: {backends: 2}\ncompare: {balancer.algorithm: [random, foo, maglev, bar]}\n";
  assert.throws(() => parse(text), (error) => {
    assert.ok(error instanceof DiagnosticsError);
    assert.deepEqual(error.diagnostics.map(({ message }) => message), [
      'unknown balancer.algorithm "foo"',
      'unknown balancer.algorithm "bar"',
    ]);
    return true;
  });
});

Deno.test("parseStudy() does not report mistakes that only follow from others", () => {
  const text = `balancer: {backends: [{id: B1}, {id: "B 2"}]}
duration: 5
faults: [{at: 2m, backend: B2, kind: crash}, {at: 1s, backend: B1, load_balancer: 3, kind: partition}]
load_balancers: many
servers: {B2: {slots: 2}}
expect: ["p99_ms[B2] < 5"]
`;
  assert.throws(() => parse(text), (error) => {
    assert.ok(error instanceof DiagnosticsError);
    assert.deepEqual(error.located().map(({ line }) => line), [1, 2, 4], error.message);
    return true;
  });
});

Deno.test("parseStudy() reports the mistakes of a scenario together with those of the file that it extends", () => {
  const files = { "config.yaml": { file: "config.yaml", text: "retries: x\n" } };
  const scenario = { file: "s.yaml", text: "extends: config.yaml\nseed: y\n" };
  assert.throws(
    () => parseStudy({ scenario, files, set: [] }),
    /s\.yaml:2:7: seed[^]*config\.yaml:1:10: retries/,
  );
});

/** Mistakes in a value, and in the group around it. */
const GROUPS: readonly (readonly [text: string, ...says: RegExp[]])[] = [
  [
    "workload: {arrivals: {diurnal: {rate: 5/s, load: 80%, amplitude: x, period: 1s}}}",
    /rate and load: use only one of them/,
    /amplitude: "x" is not/,
  ],
  ["service: {pareto: {min: 0s, max: 1s, alpha: x}}", /min must be more than/, /alpha must be/],
  [
    "service: {empirical: {values: [1s, x], weights: [1]}}",
    /there are 2 values, but 1 weights/,
    /values\[2\]: "x" is not a duration/,
  ],
  [
    "service: {lognormal: {mean: x, sigma: 1}, exponential: 2s}",
    /exponential and lognormal: use only one of them/,
    /mean: "x" is not a duration/,
  ],
];

for (const [text, ...says] of GROUPS) {
  Deno.test(`parseStudy() reports a mistake of a group together with one inside it: ${text}`, () => {
    for (const each of says) {
      assert.throws(() => parse(`balancer: {backends: 1}\n${text}\n`), each);
    }
  });
}

Deno.test("ScenarioDraft.files names the traces of all variants", () => {
  const text = `extends: config.yaml
workload: {arrivals: {trace: one.csv}}
compare: {workload.arrivals.trace: [one.csv, two.csv]}
`;
  assert.deepEqual(new ScenarioDraft(new YamlFile({ file: "s.yaml", text }), []).files, [
    { path: "config.yaml", kind: "config" },
    { path: "one.csv", kind: "trace" },
    { path: "two.csv", kind: "trace" },
  ]);
});

Deno.test("parseStudy() names the source of a mistake: the flag, the extended file, or the trace", () => {
  const wrongFlag = () => parse("balancer: {backends: 1}", ["duration=1"]);
  assert.throws(wrongFlag, /^UserError: --set duration=1: duration: 1 has no unit/);
  assert.throws(
    () => parse("balancer: {backends: 1}", ["=1"]),
    /has no key and value: write it like/,
  );
  const extending = () =>
    parseStudy({
      scenario: { file: "scenario.yaml", text: "extends: config.yaml" },
      files: { "config.yaml": { file: "config.yaml", text: "backends: []" } },
      set: [],
    });
  assert.throws(extending, /config\.yaml:1:11: .*must name at least one backend/);
  const text = "balancer: {backends: 1}\nworkload: {arrivals: {trace: visits.csv}}";
  assert.throws(() => parse(text, [], "at\n1\nsoon\n"), /visits\.csv:3: at: "soon" is not a time/);
  assert.throws(() => parse(text, [], "when\n1\n"), /visits\.csv:1: unknown column "when"/);
  assert.throws(() => parse(text, [], "at\n"), /the trace has no connections/);
});

Deno.test("parseStudy() returns a study or throws a UserError, whatever the file contains", () => {
  const key = fc.constantFrom(
    ...["balancer", "workload", "service", "servers", "faults", "compare", "expect", "seed"],
    ...["network", "duration", "precision", "extends", "warmup", "x"],
  );
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom("1s", "80%", "5/s", "B1", "random", 1, 0, -1, null, true, "config.yaml"),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(
        fc.oneof(key, fc.constantFrom("arrivals", "poisson", "rate", "backends", "at", "kind")),
        tie("value"),
        { maxKeys: 3 },
      ),
    ),
  })).value;
  fc.assert(
    fc.property(fc.dictionary(key, value, { maxKeys: 5 }), (data) => {
      try {
        parse(JSON.stringify({ balancer: { backends: 2 }, ...data }));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});
