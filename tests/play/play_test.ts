/** `lbsim play` as a process of its own: what it serves, to which requests, and how it ends. */
import assert from "node:assert/strict";
import { lbsim, RunningLbsim } from "../support/process.ts";
import { freePort } from "../support/sockets.ts";

const EXAMPLE = `${import.meta.dirname}/../../examples/two-choices.yaml`;

async function serving(
  args: readonly string[],
  use: (url: string, process: RunningLbsim) => Promise<void>,
): Promise<void> {
  const process = new RunningLbsim(["play", "--no-open", ...args]);
  try {
    const line = await process.line((line) => line.includes("http://127.0.0.1:"));
    await use(/http:\S+\/(?=[#;])/.exec(line)![0], process);
  } finally {
    process.kill("SIGKILL");
    await process.ended();
  }
}

async function statusOf(url: string, init?: RequestInit): Promise<number> {
  const response = await fetch(url, init);
  await response.body?.cancel();
  return response.status;
}

/** The first line of the answer to a request with these lines. */
async function answerTo(url: string, lines: readonly string[]): Promise<string> {
  const { port } = new URL(url);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  await connection.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  const buffer = new Uint8Array(4096);
  const count = await connection.read(buffer) ?? 0;
  return new TextDecoder().decode(buffer.subarray(0, count)).split("\r\n")[0]!;
}

Deno.test("`lbsim play` serves the page and all that it loads, with a policy that allows nothing else", async () => {
  await serving([], async (url) => {
    const response = await fetch(url);
    const html = await response.text();
    const policy = response.headers.get("Content-Security-Policy")!;
    assert.match(policy, /default-src 'none'.*worker-src 'self'/);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    assert.equal(response.headers.get("X-Content-Type-Options"), "nosniff");
    const names = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name!);
    assert.ok(names.length >= 3);
    for (const name of [...names, "worker.js", "lessons.json"]) {
      assert.equal(await statusOf(new URL(name, url).href), 200, name);
    }
    for (const path of ["nothing", "__proto__", "given.json", "%2e%2e/deno.json"]) {
      assert.equal(await statusOf(url + path), 404, path);
    }
  });
});

Deno.test("`lbsim play` answers only GET and HEAD, and only by its own name", async () => {
  await serving([], async (url) => {
    assert.equal(await statusOf(url, { method: "HEAD" }), 200);
    for (const method of ["POST", "PUT", "DELETE"]) {
      assert.equal(await statusOf(url, { method }), 405, method);
    }
    assert.match(await answerTo(url, ["GET / HTTP/1.1", "Host: 127.0.0.1"]), / 200 /);
    assert.match(await answerTo(url, ["GET / HTTP/1.1", "Host: evil.example"]), / 421 /);
    assert.match(await answerTo(url, ["GET / HTTP/1.1"]), / 400 /);
  });
});

Deno.test("`lbsim play FILE` hands the file to the page", async () => {
  await serving([EXAMPLE], async (url, process) => {
    const given = await (await fetch(`${url}given.json`)).json();
    assert.match(given.scenario.text, /title: Two choices/);
    assert.deepEqual(given.files, {});
    assert.ok(process.lines.some((line) => line.includes("#given")));
  });
});

Deno.test("Ctrl-C ends `lbsim play` with exit code 0, also while a browser is connected", async () => {
  await serving([], async (url, process) => {
    using connection = await Deno.connect({
      hostname: "127.0.0.1",
      port: Number(new URL(url).port),
    });
    await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\n"));
    process.kill("SIGINT");
    assert.equal(await process.ended(), 0);
  });
});

Deno.test("`lbsim play` refuses what it cannot serve, in words", async () => {
  const port = freePort();
  const taken = Deno.listen({ hostname: "127.0.0.1", port });
  try {
    const busy = await lbsim(["play", "--no-open", "--port", String(port)]);
    assert.equal(busy.code, 1);
    assert.match(busy.stderr, /cannot listen on 127\.0\.0\.1:\d+: .*in use/);
  } finally {
    taken.close();
  }
  const missing = await lbsim(["play", "--no-open", "missing.yaml"]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /missing\.yaml: there is no such file/);
  const wrong = await lbsim(["play", "--port", "70000"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /a port from 0 to 65535/);
});
