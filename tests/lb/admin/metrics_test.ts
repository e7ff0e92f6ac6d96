/** The metrics, also checked by Prometheus itself. */
import assert from "node:assert/strict";
import { adminLab, ask } from "../../support/admin.ts";
import { installed } from "../../support/tools.ts";
import { eventually, freePort, TestServer } from "../../support/sockets.ts";

const promtool = installed("promtool");
const prometheus = installed("prometheus");

const TWO = [9, 10].map((port) => ({ host: "127.0.0.1", port }));

/** The values of lines like `name{labels} value`, by `name{labels}`. */
function samplesOf(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const [, sample, value] = /^(.*) (\S+)$/.exec(line)!;
    return [sample!, Number(value)];
  }));
}

Deno.test("GET /metrics counts connections, refusals and retries", async () => {
  await using lab = await adminLab({ backends: TWO });
  const { scheduler } = lab.balancer;
  const connection = scheduler.accept("10.0.0.1", 0);
  connection.assign(0);
  connection.connectFailed("refused", 1e6);
  connection.connected(3e6);
  connection.answered(5e6);
  connection.close("client_aborted", 2e9, { bytesToBackend: 10, bytesToClient: 20 });
  scheduler.setMode("B1", "drain", 2e9);
  scheduler.setMode("B2", "drain", 2e9);
  scheduler.accept("10.0.0.1", 3e9).assign(3e9);
  const { text, headers } = await lab.get("/metrics");
  assert.equal(headers.get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  const samples = samplesOf(text);
  const expected = {
    'lbsim_connections_total{backend="B2",outcome="client_aborted"}': 1,
    'lbsim_connections_total{backend="B1",outcome="client_aborted"}': 0,
    'lbsim_connect_failures_total{backend="B1",reason="refused"}': 1,
    'lbsim_retries_total{backend="B2"}': 1,
    'lbsim_refusals_total{reason="no_backend_available"}': 1,
    'lbsim_refusals_total{reason="queue_full"}': 0,
    'lbsim_transferred_bytes_total{backend="B2",direction="to_client"}': 20,
    'lbsim_connect_duration_seconds_bucket{backend="B2",le="0.001"}': 0,
    'lbsim_connect_duration_seconds_bucket{backend="B2",le="0.0025"}': 1,
    'lbsim_connect_duration_seconds_bucket{backend="B2",le="+Inf"}': 1,
    'lbsim_first_byte_seconds_sum{backend="B2"}': 0.004,
    'lbsim_connection_duration_seconds_count{backend="B2"}': 1,
    "lbsim_active_servers": 0,
  };
  for (const [sample, value] of Object.entries(expected)) {
    assert.equal(samples.get(sample), value, sample);
  }
});

Deno.test("GET /metrics has as many lines for a thousand clients as for one", async () => {
  await using lab = await adminLab({ backends: TWO });
  const { scheduler } = lab.balancer;
  const serve = (client: string) => {
    const connection = scheduler.accept(client, 0);
    connection.assign(0);
    connection.connected(0);
    connection.close("closed", 0);
  };
  serve("10.0.0.1");
  const count = async () => (await lab.get("/metrics")).text.split("\n").length;
  const before = await count();
  for (let i = 0; i < 1000; i++) serve(`10.1.${i >> 8}.${i & 255}`);
  assert.equal(await count(), before);
});

Deno.test("promtool finds nothing wrong with the metrics", {
  ignore: promtool === undefined,
}, async () => {
  await using lab = await adminLab({ backends: TWO });
  const { text } = await lab.get("/metrics");
  const child = new Deno.Command(promtool!, {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.ok(success, said);
  assert.equal(said, "");
});

Deno.test("Prometheus scrapes the metrics and answers a query", {
  ignore: prometheus === undefined,
}, async () => {
  await using server = new TestServer(async (connection) => {
    await connection.read(new Uint8Array(1));
  });
  await using lab = await adminLab({ backends: [server.address] });
  const { host, port } = lab.balancer.address;
  for (let i = 0; i < 5; i++) (await Deno.connect({ hostname: host, port })).close();
  const config = `${lab.folder}/prometheus.yml`;
  const target = `${lab.address.hostname}:${lab.address.port}`;
  await Deno.writeTextFile(
    config,
    `scrape_configs: [{job_name: lbsim, scrape_interval: 500ms, static_configs: [{targets: ["${target}"]}]}]\n`,
  );
  const web = freePort();
  const child = new Deno.Command(prometheus!, {
    args: [
      `--config.file=${config}`,
      `--storage.tsdb.path=${lab.folder}/tsdb`,
      `--web.listen-address=127.0.0.1:${web}`,
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const query = "sum(lbsim_connections_opened_total)";
    const url = `http://127.0.0.1:${web}/api/v1/query?query=${encodeURIComponent(query)}`;
    const answer = async () => {
      const { text } = await ask(url).catch(() => ({ text: "{}" }));
      return text.startsWith("{") ? JSON.parse(text).data?.result?.[0]?.value?.[1] : undefined;
    };
    await eventually(async () => await answer() === "5", "Prometheus has counted five connections");
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
});
