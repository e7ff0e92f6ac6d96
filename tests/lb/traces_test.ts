/** Traces that a receiver of OpenTelemetry gets from a balancer. */
import assert from "node:assert/strict";
import { strictEventStream } from "../support/events.ts";
import { addressOf, RunningLbsim } from "../support/process.ts";
import { deadAddress, echo, eventually, TestServer } from "../support/sockets.ts";
import { tracesOf } from "../../lb/traces.ts";

/** A span in OTLP's JSON. */
interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
  readonly status?: { readonly code?: number };
}

const [INTERNAL, SERVER, CLIENT] = [1, 2, 3];

/** Receives spans of OTLP over HTTP, as JSON. */
class Receiver implements AsyncDisposable {
  readonly spans: OtlpSpan[] = [];
  readonly services = new Set<unknown>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        if (!request.url.endsWith("/v1/traces")) await request.body?.cancel();
        else this.#take(await request.json());
        return Response.json({});
      },
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** The traces that have arrived completely, in the order of their connections. */
  get traces(): { readonly root: OtlpSpan; readonly children: readonly OtlpSpan[] }[] {
    const start = ({ startTimeUnixNano }: OtlpSpan) => BigInt(startTimeUnixNano);
    const byStart = (a: OtlpSpan, b: OtlpSpan) => Number(start(a) - start(b));
    return this.spans.filter(({ name }) => name === "connection").toSorted(byStart).map((root) => ({
      root,
      children: this.spans.filter(({ parentSpanId }) => parentSpanId === root.spanId)
        .toSorted(byStart),
    }));
  }

  #take({ resourceSpans }: {
    resourceSpans: {
      resource: { attributes: OtlpSpan["attributes"] };
      scopeSpans: { scope: { name: string }; spans: OtlpSpan[] }[];
    }[];
  }): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      this.services.add(attributesOf(resource)["service.name"]);
      for (const { scope, spans } of scopeSpans) {
        if (scope.name === "lbsim") this.spans.push(...spans);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function attributesOf({ attributes }: Pick<OtlpSpan, "attributes">): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

/** A balancer as a process, with these environment variables. */
async function tracedBalancer(
  folder: string,
  config: string,
  env: Readonly<Record<string, string>>,
): Promise<RunningLbsim> {
  await Deno.writeTextFile(
    `${folder}/config.yaml`,
    `listen: 127.0.0.1:0\nadmin: {listen: off}\nhealth_check: {type: none}\n${config}`,
  );
  return new RunningLbsim(["lb", "--config", `${folder}/config.yaml`], { env });
}

function otelTo({ url }: Receiver): Record<string, string> {
  return {
    OTEL_DENO: "true",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_SERVICE_NAME: "lbsim-test",
    OTEL_BSP_SCHEDULE_DELAY: "200",
  };
}

/** The names of the spans, with the type of the error of those that failed. */
function story(spans: readonly OtlpSpan[]): string[] {
  return spans.map((span) => {
    const { "error.type": error } = attributesOf(span);
    assert.equal(span.status?.code ?? 0, error === undefined ? 0 : 2, span.name);
    return error === undefined ? span.name : `${span.name} ${error}`;
  });
}

Deno.test("lbsim lb sends a trace of each connection: accept, queue, dial and relay", async () => {
  await using receiver = new Receiver();
  await using backend = new TestServer(echo);
  const dead = deadAddress();
  const folder = await Deno.makeTempDir({ prefix: "lbsim-traces-" });
  const live = backend.address;
  const lb = await tracedBalancer(
    folder,
    `algorithm: first-available
queue: {length: 1, timeout: 20s}
backends:
  - {id: B1, address: "127.0.0.1:${dead.port}", max_connections: 1}
  - {id: B2, address: "127.0.0.1:${live.port}", max_connections: 1}
`,
    otelTo(receiver),
  );
  try {
    const port = Number((await addressOf(lb)).split(":")[1]);
    const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
    const logged = (text: string) => lb.line((line) => line.includes(text));

    const first = await connect();
    await first.write(new Uint8Array(3));
    await first.read(new Uint8Array(3));
    // B1 refuses the connect, and B2 is full: this client waits.
    const second = await connect();
    await logged("waits");
    // The queue is full.
    const third = await connect();
    assert.equal(await third.read(new Uint8Array(1)), null);
    third.close();
    first.close();
    await second.write(new Uint8Array(1));
    assert.equal(await second.read(new Uint8Array(1)), 1);
    second.close();
    await eventually(() => receiver.traces.length === 3, "three connections have ended");

    const [one, two, three] = receiver.traces;
    assert.deepEqual(story(one!.children), ["accept", "dial refused", "dial", "relay"]);
    assert.deepEqual(story(two!.children), ["accept", "dial refused", "queue", "dial", "relay"]);
    assert.equal(story([three!.root])[0], "connection queue_full");
    assert.deepEqual(story([one!.root, two!.root]), ["connection", "connection"]);
    assert.deepEqual([...receiver.services], ["lbsim-test"]);

    const { kind, parentSpanId } = one!.root;
    assert.deepEqual([kind, parentSpanId], [SERVER, ""]);
    assert.deepEqual(attributesOf(one!.root), {
      "client.address": "127.0.0.1",
      "network.transport": "tcp",
      "server.address": "127.0.0.1",
      "server.port": port,
      "lbsim.connection": 1,
      "lbsim.backend": "B2",
      "lbsim.bytes_to_backend": 3,
      "lbsim.bytes_to_client": 3,
      "lbsim.outcome": "closed",
    });
    const [accept, failed, dial, relay] = one!.children;
    assert.deepEqual([accept!.kind, dial!.kind, relay!.kind], [INTERNAL, CLIENT, INTERNAL]);
    assert.deepEqual(attributesOf(failed!), {
      "network.transport": "tcp",
      "server.address": "127.0.0.1",
      "server.port": dead.port,
      "lbsim.backend": "B1",
      "lbsim.attempt": 1,
      "error.type": "refused",
    });
    assert.deepEqual(attributesOf(dial!)["lbsim.attempt"], 2);
    for (const { root, children } of [one!, two!]) {
      // The phases follow one another without a gap, from the arrival to the end. Deno rounds times to about 0.3 µs.
      const near = (a: string, b: string) =>
        assert.ok(Math.abs(Number(BigInt(a) - BigInt(b))) < 50_000, `${a} is about ${b}`);
      near(root.startTimeUnixNano, children[0]!.startTimeUnixNano);
      near(root.endTimeUnixNano, children.at(-1)!.endTimeUnixNano);
      children.forEach(({ traceId, startTimeUnixNano, endTimeUnixNano }, i) => {
        assert.equal(traceId, root.traceId);
        assert.ok(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano));
        if (i > 0) near(startTimeUnixNano, children[i - 1]!.endTimeUnixNano);
      });
      const age = Date.now() - Number(BigInt(root.startTimeUnixNano) / 1_000_000n);
      assert.ok(age >= 0 && age < 600_000, "times are those of the wall clock");
    }
  } finally {
    await lb[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("lbsim lb sends the traces of its last connections before it ends", async () => {
  await using receiver = new Receiver();
  await using backend = new TestServer(echo);
  const folder = await Deno.makeTempDir({ prefix: "lbsim-traces-" });
  const lb = await tracedBalancer(
    folder,
    `timeouts: {drain: 10ms}\nbackends: [{id: B1, address: "127.0.0.1:${backend.address.port}"}]\n`,
    { ...otelTo(receiver), OTEL_BSP_SCHEDULE_DELAY: "60000" },
  );
  try {
    const [hostname, port] = (await addressOf(lb)).split(":");
    using client = await Deno.connect({ hostname: hostname!, port: Number(port) });
    await client.write(new Uint8Array(1));
    await client.read(new Uint8Array(1));
    lb.kill("SIGTERM");
    assert.equal(await lb.ended(), 0);
    assert.deepEqual(
      receiver.traces.map(({ root }) => attributesOf(root)["lbsim.outcome"]),
      ["closed_by_balancer"],
    );
  } finally {
    await lb[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("tracesOf() subscribes to no events without Deno's environment variables", async () => {
  const events = strictEventStream();
  assert.equal(await tracesOf(events), undefined);
  assert.deepEqual(Object.values(events.wanted).filter((wanted) => wanted), []);
});
