/** `lbsim bench` as a user runs it. */
import assert from "node:assert/strict";
import { addressOf, lbsim, lbsimArgs, RunningLbsim } from "../support/process.ts";
import { InTerminal } from "../support/terminal.ts";
import { TestServer } from "../support/test_server.ts";
import { installed } from "../support/tools.ts";

/** A server that answers nothing. */
function silent(): TestServer {
  return new TestServer(async (connection) => {
    while (await connection.read(new Uint8Array(100)) !== null);
  });
}

const at = ({ address }: TestServer) => `${address.host}:${address.port}`;

Deno.test("lbsim bench prints both latencies, a histogram, the backends and the lag", async () => {
  await using backend = new RunningLbsim(["backend", "127.0.0.1:0", "--id", "B7"]);
  const folder = await Deno.makeTempDir();
  try {
    const page = `${folder}/page.html`;
    const load = ["--rate", "100", "--duration", "1s", "--html", page];
    const { code, stdout } = await lbsim(["bench", await addressOf(backend), ...load]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^requests +100 in /m);
    assert.match(stdout, /^ +corrected +uncorrected$/m);
    assert.match(stdout, /^p99\.99 +[\d.]+ ms +[\d.]+ ms$/m);
    assert.match(stdout, /^ *[\d.]+ – [\d.]+ ms +[█▏▎▍▌▋▊▉]+ +\d+ +[\d.]+ %$/m);
    assert.match(stdout, /^B7 +100 +100 %$/m);
    assert.match(stdout, /^lag of the generator/m);
    const html = await Deno.readTextFile(page);
    assert.match(html, /<h2 id="backends">[^]*B7[^]*<\/html>/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("lbsim bench --json has units in its names, and errors by kind", async () => {
  await using server = silent();
  const load = ["--rate", "20", "--duration", "200ms", "--timeout", "100ms", "--json"];
  const { code, stdout } = await lbsim(["bench", at(server), ...load]);
  assert.equal(code, 1);
  const result = JSON.parse(stdout);
  assert.deepEqual([result.offered, result.answers, result.errors], [4, 0, 4]);
  assert.deepEqual(result.errors_by_kind, { timeout: 4 });
  assert.equal(result.latency_ms.corrected.p99, null);
  assert.equal(typeof result.lag_ms.max, "number");
});

Deno.test("lbsim bench --csv prints the names of its columns and one row", async () => {
  await using server = silent();
  const load = ["--closed", "2", "--duration", "100ms", "--timeout", "50ms", "--csv"];
  const { stdout } = await lbsim(["bench", at(server), ...load]);
  const [head, row, ...more] = stdout.trimEnd().split("\n");
  assert.deepEqual(more, []);
  assert.match(head!, /^target,load,loop,.*corrected_p99_9_ms,.*errors\(timeout\)$/);
  assert.match(row!, /^127\.0\.0\.1:\d+,"a closed loop of 2 clients, for 100ms/);
});

Deno.test("lbsim bench --strict fails if the generator was the limit", async () => {
  await using server = silent();
  // More than any generator can begin in this time.
  const load = ["--rate", "1000000", "--duration", "20ms", "--timeout", "50ms"];
  const { code, stdout } = await lbsim(["bench", at(server), ...load, "--strict"]);
  assert.match(stdout, /^warning: the generator was the limit: one request in a hundred began /m);
  assert.equal(code, 3);
});

Deno.test("Ctrl-C ends lbsim bench, which prints the result so far", async () => {
  let asked = () => {};
  const first = new Promise<void>((resolve) => asked = resolve);
  await using server = new TestServer(async (connection) => {
    while (await connection.read(new Uint8Array(100)) !== null) asked();
  });
  const load = ["--rate", "100", "--duration", "1h", "--timeout", "1h", "--connections", "1"];
  await using bench = new RunningLbsim(["bench", at(server), ...load]);
  await first;
  bench.kill("SIGINT");
  assert.equal(await bench.ended(), 130);
  const text = bench.lines.join("\n");
  assert.match(text, /^unfinished +\d+$/m);
  assert.match(text, /requests had no answer yet when the run was ended/);
});

Deno.test({
  name: "lbsim bench names a shortage of descriptors before it starts",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using server = silent();
    const few = { prefix: ["sh", "-c", 'ulimit -n 500; exec "$@"', "sh"] };
    const load = ["--rate", "1", "--connections", "20000"];
    const { code, stderr } = await lbsim(["bench", at(server), ...load], few);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^lbsim: 20000 connections need as many file descriptors, and this process may open only \d+ more\n {2}use fewer connections, or raise the limit with `ulimit -n 20116`/,
    );
  },
});

const script = Deno.build.os === "linux" ? installed("script") : undefined;

Deno.test({
  name: `lbsim bench redraws one line while it runs, and then prints the result${
    script === undefined ? " (skipped: it needs script of util-linux)" : ""
  }`,
  ignore: script === undefined,
  async fn() {
    await using server = new TestServer(async (connection) => {
      const buffer = new Uint8Array(100);
      while (await connection.read(buffer) !== null) {
        await connection.write(new TextEncoder().encode("fine\n"));
      }
    });
    const args = lbsimArgs(["bench", at(server), "--rate", "50", "--duration", "1h"]);
    await using terminal = new InTerminal([Deno.execPath(), ...args]);
    const line = / of 3600 s {2}\d+\/s {2}p50 \S+ {2}p99 \S+ ms {2}0 errors {2}\d+ in flight/;
    const first = await terminal.shows(line);
    const second = await terminal.shows(line, first);
    // The next one is in its place.
    assert.match(
      terminal.screen.slice(first, second),
      // deno-lint-ignore no-control-regex
      /^\r\x1b\[2K +\d+ of 3600 s/,
    );
    await terminal.type("\x03");
    await terminal.shows(/requests +\d+ in /, first);
    assert.equal(await terminal.ended(), 130);
  },
});
