/** examples/monitoring: what it names exists, and Prometheus accepts it. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { deadAddress, echo, eventually, freePort, TestServer } from "../support/sockets.ts";
import { RunningLbsim } from "../support/process.ts";
import { installed } from "../support/tools.ts";

const FOLDER = new URL("../../examples/monitoring/", import.meta.url);
const read = (name: string) => Deno.readTextFileSync(new URL(name, FOLDER));
const promtool = installed("promtool");
const prometheus = installed("prometheus");

interface Target {
  readonly expr: string;
  readonly datasource: unknown;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: unknown;
  readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
  readonly targets?: readonly Target[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly (Target & { readonly name: string })[] };
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly query: string | { readonly query: string };
      readonly datasource?: unknown;
    }[];
  };
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

const DASHBOARD: Dashboard = JSON.parse(read("grafana-dashboard.json"));
const RULES: readonly Rule[] = parse(read("lbsim.rules.yml")).groups
  .flatMap(({ rules }: { rules: Rule[] }) => rules);

/** Labels that Prometheus adds to what it scrapes, and the metric that it adds. */
const OF_PROMETHEUS = ["job", "instance"];
const SYNTHETIC = ["up"];

/** Words of the query language that are no metrics. */
const WORDS = /^(by|without|on|ignoring|group_left|group_right|and|or|unless|bool|offset)$/;

/** The metrics of an expression, each with the labels that it must have. */
function metricsIn(expr: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const grouped = [...expr.matchAll(/\b(?:by|on|ignoring|group_left)\s*\(([^)]*)\)/g)]
    .flatMap(([, labels]) => labels!.split(",").map((label) => label.trim()))
    .filter((label) => label !== "");
  const rest = expr.replaceAll(/\b(?:by|on|ignoring|group_left)\s*\([^)]*\)/g, " ")
    .replaceAll(/\[[^\]]*\]/g, " ");
  const word = /([a-zA-Z_:][\w:]*)(?:\s*\{([^}]*)\})?(\s*\()?/g;
  for (const [, name, matchers = "", isFunction] of rest.matchAll(word)) {
    if (isFunction !== undefined || WORDS.test(name!)) continue;
    const labels = found.get(name!) ?? new Set();
    for (const [, label] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) labels.add(label!);
    found.set(name!, labels);
  }
  // With several metrics, `on` and `group_left` may name a label of one of them.
  if (found.size === 1) {
    for (const labels of found.values()) grouped.forEach((one) => labels.add(one));
  }
  return found;
}

/** For each metric of a scrape, its labels. */
function labelsOf(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const line of text.split("\n")) {
    const match = /^([\w:]+)(?:\{(.*)\})? \S+$/.exec(line);
    if (match === null) continue;
    const [, name, labels = ""] = match;
    const known = found.get(name!) ?? new Set();
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label!);
    found.set(name!, known);
  }
  return found;
}

/** Every expression that the dashboard or a rule evaluates, by where it stands. */
const EXPRESSIONS: readonly (readonly [where: string, expr: string])[] = [
  ...DASHBOARD.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => [`panel "${title}"`, expr] as const)
  ),
  ...DASHBOARD.annotations.list.map(({ name, expr }) => [`annotation "${name}"`, expr] as const),
  ...RULES.map(({ alert, expr }) => [`alert ${alert}`, expr] as const),
];

/** A balancer over a backend that answers and one that does not, with traffic of each kind. */
async function monitoredLab() {
  const backend = new TestServer(echo);
  const folder = await Deno.makeTempDir({ prefix: "lbsim-monitoring-" });
  const admin = freePort();
  const { port: dead } = deadAddress();
  await Deno.writeTextFile(
    `${folder}/config.yaml`,
    `listen: 127.0.0.1:0
backends:
  - {id: B1, address: "127.0.0.1:${backend.address.port}"}
  - {id: B2, address: "127.0.0.1:${dead}"}
health_check: {interval: 1s, timeout: 1s}
admin: {listen: "127.0.0.1:${admin}"}
log: {connections: false}
`,
  );
  const lb = new RunningLbsim(["lb"], {
    cwd: folder,
    // With fewer descriptors than `limits.connections` needs, lbsim knows its limit.
    prefix: ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh"],
  });
  const line = await lb.line((text) => text.includes("listening on 127"));
  const port = Number(/listening on 127\.0\.0\.1:(\d+)/.exec(line)![1]);
  const url = `http://127.0.0.1:${admin}`;
  await lb.line((text) => text.includes("admin API on"));
  return {
    folder,
    target: `127.0.0.1:${admin}`,
    scrape: async () => await (await fetch(`${url}/metrics`)).text(),
    async serve(clients: number): Promise<void> {
      for (let i = 0; i < clients; i++) {
        using client = await Deno.connect({ hostname: "127.0.0.1", port });
        await client.write(new Uint8Array(1));
        await client.read(new Uint8Array(1));
      }
    },
    async [Symbol.asyncDispose]() {
      await lb[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test({
  name: "examples/monitoring names only metrics and labels that lbsim lb has",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using lab = await monitoredLab();
    const known = labelsOf(await lab.scrape());
    for (const name of SYNTHETIC) known.set(name, new Set());
    const named = new Set<string>();
    for (const [where, expr] of EXPRESSIONS) {
      const metrics = metricsIn(expr);
      assert.ok(metrics.size > 0, `${where} names a metric: ${expr}`);
      for (const [metric, labels] of metrics) {
        const has = known.get(metric);
        assert.ok(has !== undefined, `${where}: lbsim has no metric ${metric}`);
        named.add(metric);
        for (const label of labels) {
          assert.ok(
            has.has(label) || OF_PROMETHEUS.includes(label),
            `${where}: ${metric} has no label ${label}`,
          );
        }
      }
    }
    for (const { name, query } of DASHBOARD.templating.list) {
      if (typeof query === "string") continue;
      const [, metric, label] = /^label_values\((\w+)(?:\{.*\})?, (\w+)\)$/.exec(query.query)!;
      assert.ok(known.has(metric!), `variable ${name}: lbsim has no metric ${metric}`);
      assert.ok(known.get(metric!)!.has(label!) || OF_PROMETHEUS.includes(label!), name);
    }
    const family = (name: string) => name.replace(/_(bucket|sum|count)$/, "");
    const shown = new Set([...named].map(family));
    const missing = [...known.keys()].map(family).filter((name) => !shown.has(name));
    assert.deepEqual([...new Set(missing)], [], "each metric is in a panel or a rule");
  },
});

Deno.test("metricsIn() finds the metrics of an expression and their labels", () => {
  const expr = 'sum by (le, backend) (rate(a_total{b=~"x|y", c!="d_total"}[5m])) > 0.5';
  assert.deepEqual(metricsIn(expr), new Map([["a_total", new Set(["b", "c", "le", "backend"])]]));
  assert.deepEqual([...metricsIn("time() - max(a) / on (job) group_left (v) b").keys()], [
    "a",
    "b",
  ]);
});

Deno.test("examples/monitoring/grafana-dashboard.json is a dashboard whose panels ask the chosen data source", () => {
  const { panels, templating } = DASHBOARD;
  const source = { type: "prometheus", uid: "${datasource}" };
  const [first] = templating.list;
  assert.deepEqual([first!.name, first!.type, first!.query], [
    "datasource",
    "datasource",
    "prometheus",
  ]);
  for (const { name, datasource } of templating.list.slice(1)) {
    assert.deepEqual(datasource, source, name);
  }
  const variables = new Set(templating.list.map(({ name }) => name));
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length, "ids differ");
  const cells = new Map<string, string>();
  for (const { type, title, description = "", datasource, targets = [], gridPos } of panels) {
    const { x, y, w, h } = gridPos;
    assert.ok(x >= 0 && x + w <= 24, `${title}: 24 columns`);
    for (let i = x; i < x + w; i++) {
      for (let j = y; j < y + h; j++) {
        assert.equal(cells.get(`${i},${j}`), undefined, `${title} covers another panel`);
        cells.set(`${i},${j}`, title);
      }
    }
    if (type === "row") continue;
    assert.notEqual(description, "", `${title} says what it shows`);
    assert.deepEqual(datasource, source, title);
    assert.ok(targets.length > 0, `${title} asks for something`);
    for (const { expr, datasource } of targets) {
      assert.deepEqual(datasource, source, title);
      for (const [, variable] of expr.matchAll(/\$(\w+)/g)) {
        assert.ok(variables.has(variable!) || variable!.startsWith("__"), `${title}: $${variable}`);
      }
    }
  }
});

Deno.test("each alert of examples/monitoring has a case in which it fires", () => {
  const { tests } = parse(read("lbsim.rules.test.yml"));
  const fires = new Set<string>();
  for (const { alert_rule_test } of tests) {
    for (const { alertname, exp_alerts } of alert_rule_test) {
      if (exp_alerts.length > 0) fires.add(alertname);
    }
  }
  assert.deepEqual([...fires].toSorted(), RULES.map(({ alert }) => alert).toSorted());
});

Deno.test(
  "promtool accepts the configuration and the rules of examples/monitoring, and their cases hold",
  {
    ignore: promtool === undefined,
  },
  async () => {
    for (
      const args of [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "--lint-fatal", "lbsim.rules.yml"],
        ["test", "rules", "lbsim.rules.test.yml"],
      ]
    ) {
      const { success, stdout, stderr } = await new Deno.Command(promtool!, { args, cwd: FOLDER })
        .output();
      const text = new TextDecoder();
      assert.ok(success, text.decode(stdout) + text.decode(stderr));
    }
  },
);

Deno.test("Prometheus has data for each panel of the dashboard, and evaluates each rule", {
  ignore: prometheus === undefined,
}, async () => {
  await using lab = await monitoredLab();
  const config = read("prometheus.yml").replaceAll("127.0.0.1:9900", lab.target)
    .replaceAll(/_interval: 5s/g, "_interval: 500ms")
    .replace("lbsim.rules.yml", new URL("lbsim.rules.yml", FOLDER).pathname);
  await Deno.writeTextFile(`${lab.folder}/prometheus.yml`, config);
  const web = freePort();
  const child = new Deno.Command(prometheus!, {
    args: [
      `--config.file=${lab.folder}/prometheus.yml`,
      `--storage.tsdb.path=${lab.folder}/tsdb`,
      `--web.listen-address=127.0.0.1:${web}`,
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const api = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${web}/api/v1/${path}`).catch(() => undefined);
    const text = await response?.text() ?? "";
    return text.startsWith("{") ? JSON.parse(text) : {};
  };
  const query = async (expr: string) =>
    (await api(`query?query=${encodeURIComponent(expr)}`)).data?.result ?? [];
  try {
    // Rates need two scrapes with connections in between.
    await eventually(async () => {
      await lab.serve(1);
      return (await query("rate(lbsim_connections_opened_total[10s]) > 0")).length > 0;
    }, "Prometheus has a rate of connections");
    for (const { title, targets = [] } of DASHBOARD.panels) {
      for (const { expr } of targets) {
        const asked = expr.replaceAll("$__rate_interval", "10s").replaceAll("$__range", "10s")
          .replaceAll(/\$(job|instance|backend)/g, ".*");
        await eventually(
          async () => (await query(asked)).length > 0,
          `${title} has data: ${asked}`,
        );
      }
    }
    const evaluated = async () => {
      const { data } = await api("rules");
      return data.groups.flatMap(({ rules }: { rules: unknown[] }) => rules) as {
        readonly name: string;
        readonly health: string;
      }[];
    };
    await eventually(
      async () => (await evaluated()).every(({ health }) => health !== "unknown"),
      "Prometheus has evaluated the rules",
    );
    const rules = await evaluated();
    assert.equal(rules.length, RULES.length);
    for (const { name, health } of rules) assert.equal(health, "ok", name);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
});
