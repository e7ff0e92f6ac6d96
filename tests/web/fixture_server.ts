/**
 * A stand-in for the admin API of a balancer with three backends. Their past is made up; B2 was down for a time. `deno
 * run --allow-net --allow-read tests/web/fixture_server.ts 9901` serves the page to look at.
 */
import type { LbEvent } from "../../lib/core/mod.ts";
import { CONDITIONS, encodeFrame, type Frame, type Snapshot } from "../../lib/observe/mod.ts";
import { CONTENT_SECURITY_POLICY, dashboardAsset } from "../../web/mod.ts";

const EPOCH_MS = Date.UTC(2026, 0, 15, 12);
const IDS = ["B1", "B2", "B3"];
/** The present time of the made-up past: the page gets the five minutes before it at once. */
const PRESENT_MS = 300_000;

/** The frame at a time, `at_ms` after the start. */
function frameAt(at_ms: number, sequence: number): Frame {
  const s = at_ms / 1000;
  const isDown = (i: number) => i === 1 && s >= 150 && s < 210;
  const isDraining = (i: number) => i === 2 && s >= 260;
  const wave = (i: number) => 1 + 0.2 * Math.sin(s / 9 + 2 * i) + 0.1 * Math.sin(s * 1.7 + i);
  const rates = IDS.map((_, i) =>
    isDown(i) || isDraining(i)
      ? 0
      : 240 * [1, 0.9, 0.5][i]! * wave(i) * (s >= 150 && s < 210 ? 1.5 : 1)
  );
  const column = (of: (i: number) => number) => Float64Array.from(IDS, (_, i) => of(i));
  const latency = (base: number) =>
    column((i) => rates[i] === 0 ? NaN : base * wave(i + 1) * [1, 1.3, 2.2][i]!);
  const inFlight = column((i) => isDraining(i) ? 3 : Math.round(rates[i]! / 20));
  return {
    sequence,
    at_ms,
    in_flight: inFlight.reduce((a, b) => a + b),
    waiting: 0,
    sessions: 812,
    opened: Math.round(560 * s),
    refused: 14,
    bytes_to_backends: 40_000 * s,
    bytes_to_clients: 900_000 * s,
    event_loop_delay_ms: 1.2,
    backends: IDS,
    marks: STORY.filter((event) =>
      event.type !== "session_moved" && event.at_ms > at_ms - 1000 && event.at_ms <= at_ms
    ),
    condition: Uint8Array.from(
      IDS,
      (_, i) => CONDITIONS.indexOf(isDown(i) ? "down" : isDraining(i) ? "drain" : "up"),
    ),
    effective_weight: column((i) => [4, 2, 1][i]!),
    backend_in_flight: inFlight,
    backend_opened: column((i) => 200 * s * [1, 0.9, 0.5][i]!),
    opened_per_s: Float64Array.from(rates),
    connects_failed: column((i) => i === 1 ? 4 : 0),
    connect_p50_ms: latency(0.3),
    connect_p99_ms: latency(1.1),
    first_byte_p50_ms: latency(6),
    first_byte_p99_ms: latency(31),
  };
}

const STORY: readonly LbEvent[] = [
  {
    type: "backend_down",
    at_ms: 150_000,
    backend: "B2",
    probes: 3,
    reason: "connection refused",
    in_flight: 2,
    active_servers: ["B1", "B3"],
  },
  {
    type: "session_moved",
    at_ms: 151_200,
    client: "192.0.2.17",
    from: "B2",
    to: "B1",
    why: "failover",
  },
  { type: "backend_up", at_ms: 210_000, backend: "B2", probes: 2, active_servers: IDS },
  { type: "backend_mode_changed", at_ms: 260_000, backend: "B3", mode: "drain", in_flight: 9 },
];

function snapshotAt(frame: Frame): Snapshot {
  const { at_ms, opened } = frame;
  const latency = (column: Float64Array, other: Float64Array, i: number) => {
    const isKnown = !Number.isNaN(column[i]!);
    return { count: 1000, p50_ms: isKnown ? column[i]! : null, p99_ms: isKnown ? other[i]! : null };
  };
  return {
    at_ms,
    epoch_ms: EPOCH_MS,
    version: "0.0.0",
    uptime_ms: at_ms,
    listen: "192.0.2.1:8000",
    algorithm: "least-connections",
    configuration_digest: "0123456789abcdef",
    wishes: ["B3.mode: ready → drain"],
    active_servers: ["B1", "B2"],
    connection_count: Object.fromEntries(IDS.map((id, i) => [id, frame.backend_in_flight[i]!])),
    connections: {
      in_flight: frame.in_flight,
      in_flight_max: 61,
      limit: 10_000,
      opened,
      opened_per_s: 560,
      refused: 14,
      refused_per_s: 0,
      refused_by_reason: { denied: 14 },
      arrived: 0,
      left: 0,
      retried: 4,
    },
    queue: { waiting: 0, waiting_max: 3, limit: 100, queued: 3 },
    sessions: { count: 812, limit: 100_000, moved: 31, evicted: 0 },
    bytes_to_backends: frame.bytes_to_backends,
    bytes_to_clients: frame.bytes_to_clients,
    process: {
      descriptors: 140,
      descriptors_limit: 65_536,
      event_loop_delay_ms: 1.2,
      memory_bytes: 80e6,
    },
    window_s: 10,
    backends: IDS.map((id, i) => ({
      id,
      address: `192.0.2.${11 + i}:9000`,
      tier: "primary",
      condition: CONDITIONS[frame.condition[i]!]!,
      weight: [4, 2, 1][i]!,
      effective_weight: [4, 2, 1][i]!,
      health: {
        state: "up",
        since_ms: [0, 210_000, 0][i]!,
        last_probe: { at_ms: at_ms - 700, ok: true, duration_ms: 0.9, text: "ok" },
        streak: 0,
        probes: 150,
        failed_probes: [0, 31, 0][i]!,
        times_down: [0, 1, 0][i]!,
        down_ms: [0, 60_000, 0][i]!,
      },
      wish: {
        state: i === 2 ? "drain" : "ready",
        since_ms: i === 2 ? 260_000 : 0,
        file_state: "ready",
        file_weight: [4, 2, 1][i]!,
      },
      in_flight: frame.backend_in_flight[i]!,
      in_flight_max: [28, 24, 17][i]!,
      limit: [40, 40, null][i]!,
      opened: frame.backend_opened[i]!,
      opened_per_s: frame.opened_per_s[i]!,
      share: [0.42, 0.37, 0.21][i]!,
      recent_share: [0.53, 0.47, 0][i]!,
      connects_failed: frame.connects_failed[i]!,
      retried: [4, 0, 0][i]!,
      bytes_to_backend: 1e6,
      bytes_to_client: 2e7,
      connect: latency(frame.connect_p50_ms, frame.connect_p99_ms, i),
      first_byte: latency(frame.first_byte_p50_ms, frame.first_byte_p99_ms, i),
      ejection: null,
      slow_start: null,
      fault: i === 1 ? "slow 5x" : null,
    })),
  };
}

const SESSIONS = Array.from({ length: 40 }, (_, i) => ({
  client: `192.0.2.${100 + i}`,
  backend: IDS[i % 2]!,
  home: IDS[i % 3 === 2 ? 2 : i % 2]!,
  connections: i % 4,
  used_at_ms: PRESENT_MS - 1000 * i,
  moved_at_ms: 0,
}));

/** A server of the page and its data. `stop` ends it and all its streams. */
export function serveFixture(port = 0) {
  const ending = new AbortController();
  const startedAt = performance.now();
  const now = () => PRESENT_MS + performance.now() - startedAt;
  const server = Deno.serve(
    { port, hostname: "127.0.0.1", signal: ending.signal, onListen: () => {} },
    (request) => answer(request, now, ending.signal),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    async stop() {
      ending.abort();
      await server.finished;
    },
  };
}

async function answer(request: Request, now: () => number, signal: AbortSignal): Promise<Response> {
  const { pathname } = new URL(request.url);
  const asset = dashboardAsset(pathname);
  if (asset !== undefined) {
    return new Response(asset.body, {
      headers: {
        "Content-Type": asset.type,
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
      },
    });
  }
  switch (pathname) {
    case "/api/status":
      return Response.json(snapshotAt(frameAt(now(), 0)));
    case "/api/frames":
      return stream((write) => {
        let sequence = 0;
        for (let at = now() - PRESENT_MS; at < now() - 100; at += 1000) {
          write("frame", encodeFrame(frameAt(at, ++sequence)));
        }
        return setInterval(() => write("frame", encodeFrame(frameAt(now(), ++sequence))), 100);
      }, signal);
    case "/api/events":
      return stream((write) => {
        for (const event of STORY) write(event.type, JSON.stringify(event));
        return undefined;
      }, signal);
    case "/api/sessions":
      return Response.json({ count: 812, sessions: SESSIONS });
    case "/api/backends/B1/fault":
      return Response.json({ backend: "B1", faults: [await request.json()] });
    case "/api/explain":
      return Response.json({
        client: (await request.json()).client,
        backend: "B1",
        rule: "fewest connections in flight for its weight",
        candidates: [
          { backend: "B1", weight: 4, in_flight: 12, score: 3.25 },
          { backend: "B2", weight: 2, in_flight: 11, score: 6 },
          { backend: "B3", weight: 1, in_flight: 3, unavailable: "drain" },
        ],
      });
  }
  return Response.json({ error: "there is nothing at this path" }, { status: 404 });
}

type Write = (event: string, data: string) => void;

function stream(
  begin: (write: Write) => ReturnType<typeof setInterval> | undefined,
  signal: AbortSignal,
): Response {
  let timer: ReturnType<typeof setInterval> | undefined;
  const body = new ReadableStream<string>({
    start(controller) {
      timer = begin((event, data) => controller.enqueue(`event: ${event}\ndata: ${data}\n\n`));
      signal.addEventListener("abort", () => clearInterval(timer));
    },
    cancel: () => clearInterval(timer),
  });
  return new Response(body.pipeThrough(new TextEncoderStream()), {
    headers: { "Content-Type": "text/event-stream" },
  });
}

if (import.meta.main) console.log(serveFixture(Number(Deno.args[0] ?? 9901)).url);
