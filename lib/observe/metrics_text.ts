import type { RefusalReason } from "../core/mod.ts";
import type { BackendFacts } from "./backend_facts.ts";
import type { Latencies } from "./latencies.ts";
import type { BackendSnapshot, Snapshot } from "./snapshot.ts";

/** The reasons of refusals. Each reason has a line from the start, so that its rate is right from the first refusal. */
const REFUSAL_REASONS = [
  "no_backend_available",
  "all_backends_full",
  "queue_full",
  "queue_timeout",
  "connection_limit",
  "denied",
  "bad_proxy_header",
  "bad_tls_handshake",
  "sent_nothing",
  "client_connection_limit",
  "client_rate_limit",
  "connects_failed",
  "local_shortage",
  "stopping",
] as const satisfies readonly RefusalReason[];

/** The source of histograms and of counts by outcome. */
export interface FactsSource {
  factsOf(id: string): BackendFacts | undefined;
}

type Labels = Readonly<Record<string, string>>;
type Kind = "counter" | "gauge" | "histogram";
type Sample = readonly [labels: Labels, value: number];

/**
 * The metrics as Prometheus reads them: text format 0.0.4. Labels are backends and words from fixed lists, so their
 * number is bounded by the configuration; nothing is labelled by client.
 *
 * Source: Prometheus, "Exposition formats" and "Metric and label naming".
 */
export function metricsText(snapshot: Snapshot, source: FactsSource): string {
  const lines: string[] = [];
  const metric = (name: string, kind: Kind, help: string, samples: readonly Sample[]) => {
    if (samples.length === 0) return;
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`);
    for (const [labels, value] of samples) lines.push(`${name}${labelsOf(labels)} ${value}`);
  };
  const { backends, connections, queue, sessions, process } = snapshot;
  const facts = backends.map(({ id }) => ({ id, facts: source.factsOf(id) }));
  const one = (value: number): Sample[] => [[{}, value]];
  const each = (read: (backend: BackendSnapshot) => number): Sample[] =>
    backends.map((backend) => [{ backend: backend.id }, read(backend)]);
  const byKey = (
    label: string,
    read: (facts: BackendFacts) => Readonly<Record<string, number>>,
  ): Sample[] =>
    facts.flatMap(({ id, facts }) =>
      Object.entries(facts === undefined ? {} : read(facts))
        .map(([key, value]): Sample => [{ backend: id, [label]: key }, value])
    );
  const histogram = (name: string, help: string, read: (facts: BackendFacts) => Latencies) => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} histogram`);
    for (const { id, facts: known } of facts) {
      if (known !== undefined) lines.push(histogramLines(name, id, read(known)));
    }
  };

  metric("lbsim_build_info", "gauge", "The version of lbsim; always 1.", [
    [{ version: snapshot.version }, 1],
  ]);
  metric(
    "lbsim_configuration_info",
    "gauge",
    "The digest of the configuration in use, and its algorithm; always 1.",
    [[{ digest: snapshot.configuration_digest, algorithm: snapshot.algorithm }, 1]],
  );
  metric(
    "lbsim_operator_wishes",
    "gauge",
    "Number of settings that the operator has changed from the file.",
    one(snapshot.wishes.length),
  );
  metric(
    "lbsim_active_servers",
    "gauge",
    "Backends that are healthy and enabled.",
    one(snapshot.active_servers.length),
  );
  metric("lbsim_backend_up", "gauge", "1 if probes find the backend up.", [
    ...each(({ health }) => health.state === "up" ? 1 : 0),
  ]);
  metric("lbsim_backend_active", "gauge", "1 if the backend is healthy and enabled.", [
    ...each(({ condition }) => condition === "up" ? 1 : 0),
  ]);
  metric(
    "lbsim_backend_weight",
    "gauge",
    "The weight that the backend has now; less than its full weight during a slow start.",
    each(({ effective_weight }) => effective_weight),
  );
  metric(
    "lbsim_backend_downs_total",
    "counter",
    "How often probes have marked the backend as down.",
    each(({ health }) => health.times_down),
  );
  metric(
    "lbsim_backend_down_seconds_total",
    "counter",
    "How long the backend was marked as down.",
    each(({ health }) => health.down_ms / 1000),
  );
  metric(
    "lbsim_backend_ejections_total",
    "counter",
    "How often failed connects have ejected the backend.",
    each(({ ejection }) => ejection?.times ?? 0),
  );
  metric("lbsim_probes_total", "counter", "Health probes, by their result.", [
    ...backends.flatMap(({ id, health: { probes, failed_probes } }): Sample[] => [
      [{ backend: id, result: "ok" }, probes - failed_probes],
      [{ backend: id, result: "failed" }, failed_probes],
    ]),
  ]);
  histogram(
    "lbsim_probe_duration_seconds",
    "How long health probes took.",
    ({ probeDuration }) => probeDuration,
  );

  metric(
    "lbsim_connections_in_flight",
    "gauge",
    "Connections that are being opened to the backend, or are open.",
    each(({ in_flight }) => in_flight),
  );
  metric(
    "lbsim_connections_limit",
    "gauge",
    "The largest number of connections at the same time.",
    one(connections.limit),
  );
  metric(
    "lbsim_clients_arrived_total",
    "counter",
    "Clients that have connected.",
    one(connections.arrived),
  );
  metric(
    "lbsim_clients_left_total",
    "counter",
    "Clients that left before their connections were open.",
    one(connections.left),
  );
  metric(
    "lbsim_connections_opened_total",
    "counter",
    "Connections that reached the backend.",
    each(({ opened }) => opened),
  );
  metric(
    "lbsim_connections_total",
    "counter",
    "Connections that have ended, by how they ended.",
    byKey("outcome", ({ ends }) => ends),
  );
  metric(
    "lbsim_connect_failures_total",
    "counter",
    "Connects to the backend that failed, by the reason.",
    byKey("reason", ({ connectsFailed }) => connectsFailed),
  );
  metric(
    "lbsim_retries_total",
    "counter",
    "Connects to the backend that followed a failed connect to another backend.",
    each(({ retried }) => retried),
  );
  metric(
    "lbsim_refusals_total",
    "counter",
    "Clients that were refused, by the reason.",
    REFUSAL_REASONS.map((reason) => [{ reason }, connections.refused_by_reason[reason] ?? 0]),
  );
  metric("lbsim_transferred_bytes_total", "counter", "Bytes relayed, by their direction.", [
    ...backends.flatMap(({ id, bytes_to_backend, bytes_to_client }): Sample[] => [
      [{ backend: id, direction: "to_backend" }, bytes_to_backend],
      [{ backend: id, direction: "to_client" }, bytes_to_client],
    ]),
  ]);
  histogram(
    "lbsim_connection_duration_seconds",
    "From the pick of the backend to the end of the connection.",
    ({ duration }) => duration,
  );
  histogram(
    "lbsim_connect_duration_seconds",
    "From the pick of the backend to the end of the connect.",
    ({ connect }) => connect,
  );
  histogram(
    "lbsim_first_byte_seconds",
    "From the pick of the backend to the first byte of an answer, without the time in which the client had sent nothing.",
    ({ firstByte }) => firstByte,
  );

  metric("lbsim_queue_waiting", "gauge", "Clients that wait in the queue.", one(queue.waiting));
  metric("lbsim_queued_total", "counter", "Clients that had to wait.", one(queue.queued));
  metric("lbsim_sessions", "gauge", "Sessions in the session map.", one(sessions.count));
  metric(
    "lbsim_sessions_moved_total",
    "counter",
    "Sessions that changed their backend.",
    one(sessions.moved),
  );
  metric(
    "lbsim_sessions_evicted_total",
    "counter",
    "Sessions that were dropped to make room for others.",
    one(sessions.evicted),
  );
  if (process !== null) {
    metric(
      "lbsim_event_loop_delay_seconds",
      "gauge",
      "The largest delay of the event loop in the last ten seconds.",
      one(process.event_loop_delay_ms / 1000),
    );
    metric(
      "process_start_time_seconds",
      "gauge",
      "When the balancer was started, in seconds since 1970.",
      one((snapshot.epoch_ms + snapshot.at_ms - snapshot.uptime_ms) / 1000),
    );
    metric(
      "process_resident_memory_bytes",
      "gauge",
      "Memory that the process uses.",
      one(process.memory_bytes),
    );
    metric("process_open_fds", "gauge", "File descriptors that are open.", [
      ...process.descriptors === null ? [] : one(process.descriptors),
    ]);
    metric("process_max_fds", "gauge", "File descriptors that may be open.", [
      ...process.descriptors_limit === null ? [] : one(process.descriptors_limit),
    ]);
  }
  return `${lines.join("\n")}\n`;
}

/**
 * The lines of one histogram. With a thousand backends most lines are those of histograms, so the text of the label is
 * built once for each backend.
 */
function histogramLines(name: string, backend: string, latencies: Latencies): string {
  const { bounds, counts, count, sum_s } = latencies.cumulative;
  const label = `backend="${escaped(backend)}"`;
  const bucket = `${name}_bucket{${label},le="`;
  let text = "";
  bounds.forEach((le, i) => text += `${bucket}${le}"} ${counts[i]}\n`);
  return `${text}${bucket}+Inf"} ${count}\n` +
    `${name}_sum{${label}} ${sum_s}\n${name}_count{${label}} ${count}`;
}

function labelsOf(labels: Labels): string {
  let text = "";
  for (const name in labels) {
    text += `${text === "" ? "{" : ","}${name}="${escaped(labels[name]!)}"`;
  }
  return text === "" ? "" : `${text}}`;
}

function escaped(value: string): string {
  if (!/[\\"\n]/.test(value)) return value;
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
