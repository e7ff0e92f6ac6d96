/**
 * A balancer under load with its dashboard open, for an hour: its memory and the number of its descriptors do not grow,
 * nor does the memory of the page. LBSIM_SOAK_MINUTES=5 sets another length. Linux; the page needs Chromium.
 */
import assert from "node:assert/strict";
import { browserTest, closeBrowser, hasNoBrowser, withPage } from "../web/browser.ts";
import { addressOf, RunningLbsim } from "../support/process.ts";
import { echo, TestServer } from "../support/sockets.ts";
import { LiveSource } from "../../web/dashboard/live_source.ts";

const MINUTES = Number(Deno.env.get("LBSIM_SOAK_MINUTES") ?? "60");
/**
 * The first third is the warm-up: code is compiled, and buffers and caches grow. Then the second and the last third are
 * compared.
 */
const SAMPLES_PER_THIRD = 20;
const SAMPLE_MS = MINUTES * 60_000 / (3 * SAMPLES_PER_THIRD);
/** Clients that connect, send one request and close, again and again. They are as fast as the machine allows. */
const CLIENTS = 8;
const PAUSE_MS = 5;

/** How much the last third may exceed the second one. */
const MAY_GROW: Readonly<Record<string, number>> = {
  rss_bytes: 10e6,
  descriptors: 16,
  page_heap_bytes: 3e6,
  page_nodes: 500,
};

type Sample = Readonly<Record<string, number>>;

async function outputOf(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}

/** The memory and the descriptors of the balancer's process. */
async function processSample({ pid }: RunningLbsim): Promise<Sample> {
  const [status, descriptors] = await Promise.all([
    outputOf("cat", `/proc/${pid}/status`),
    outputOf("ls", `/proc/${pid}/fd`),
  ]);
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status)!;
  return {
    rss_bytes: Number(kilobytes) * 1024,
    descriptors: descriptors.trim().split("\n").length,
  };
}

/** Clients that come and go until `signal` is aborted. Returns how many were served. */
async function load(port: number, signal: AbortSignal): Promise<number> {
  let served = 0;
  const buffers = Array.from({ length: CLIENTS }, () => new Uint8Array(64));
  await Promise.all(buffers.map(async (buffer) => {
    while (!signal.aborted) {
      using client = await Deno.connect({ hostname: "127.0.0.1", port });
      await client.write(buffer);
      if (await client.read(buffer) !== null) served++;
      if (served % CLIENTS === 0) await pause(PAUSE_MS);
    }
  }));
  return served;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Checks that nothing grows: for each number, the largest of the last third exceeds the largest of the second third by
 * no more than is allowed.
 */
function assertFlat(samples: readonly Sample[]): void {
  const third = (i: number) => samples.slice(i * SAMPLES_PER_THIRD, (i + 1) * SAMPLES_PER_THIRD);
  for (const name of Object.keys(samples[0]!)) {
    const [second, last] = [third(1), third(2)].map((part) =>
      Math.max(...part.map((sample) => sample[name]!))
    );
    console.log(`${name}: at most ${second} in the second third, ${last} in the last`);
    assert.ok(last! <= second! + MAY_GROW[name]!, `${name} grows: ${second} → ${last}`);
  }
}

/**
 * Runs a balancer under load. `watch` opens a dashboard, and passes a function that measures it to
 * `sampled`.
 */
async function soak(
  watch: (url: string, sampled: (measure: () => Promise<Sample>) => Promise<void>) => Promise<void>,
): Promise<void> {
  await using one = new TestServer(echo);
  await using two = new TestServer(echo);
  const folder = await Deno.makeTempDir({ prefix: "lbsim-soak-" });
  await Deno.writeTextFile(
    `${folder}/config.yaml`,
    `listen: 127.0.0.1:0
backends:
  - {id: B1, address: "127.0.0.1:${one.address.port}"}
  - {id: B2, address: "127.0.0.1:${two.address.port}"}
sticky: {by: client-address}
admin: {listen: "127.0.0.1:0"}
log: {connections: false}
`,
  );
  const lb = new RunningLbsim(["lb", "--config", `${folder}/config.yaml`]);
  const ending = new AbortController();
  try {
    const port = Number((await addressOf(lb)).split(":")[1]);
    const line = await lb.line((text) => text.includes("admin API on"));
    const [url] = /http:\/\/[\d.:]+/.exec(line)!;
    const served = load(port, ending.signal);
    await watch(url, async (measure) => {
      const samples: Sample[] = [];
      while (samples.length < 3 * SAMPLES_PER_THIRD) {
        await pause(SAMPLE_MS);
        samples.push({ ...await processSample(lb), ...await measure() });
      }
      assertFlat(samples);
    });
    ending.abort();
    console.log(`${await served} connections were served`);
  } finally {
    ending.abort();
    await lb[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test.afterAll(closeBrowser);

Deno.test(
  "a balancer under load uses no more memory and no more descriptors while a dashboard reads it",
  {
    ignore: Deno.build.os !== "linux" || !hasNoBrowser,
    sanitizeOps: false,
    sanitizeResources: false,
  },
  async () => {
    await soak(async (url, sampled) => {
      const stop = new LiveSource(url).start({
        link: () => {},
        snapshot: () => {},
        frame: () => {},
        event: () => {},
        lost: () => {},
      });
      await sampled(() => Promise.resolve({}));
      stop();
    });
  },
);

browserTest(
  "a balancer under load and its dashboard use no more memory as time passes",
  async () => {
    await soak(async (url, sampled) => {
      await withPage(url, async (page, complaints) => {
        await page.getByText("● live").waitFor();
        const session = await page.context().newCDPSession(page);
        await sampled(async () => {
          await session.send("HeapProfiler.collectGarbage");
          const { usedSize } = await session.send("Runtime.getHeapUsage");
          const { nodes } = await session.send("Memory.getDOMCounters");
          return { page_heap_bytes: usedSize, page_nodes: nodes };
        });
        assert.deepEqual(complaints.console, []);
      });
    });
  },
);
