/** Each rule that protects the admin API, and attempts to break it. */
import assert from "node:assert/strict";
import {
  presentedToken,
  refusalOf,
  servedHosts,
  TokenFile,
  typedToken,
} from "../../../lib/admin/mod.ts";
import { Admin } from "../../../lb/admin/mod.ts";
import { adminLab, ask, raw } from "../../support/admin.ts";
import { eventually } from "../../support/sockets.ts";

const RULES = {
  isLocal: true,
  hosts: servedHosts("127.0.0.1", [], ["lab.example"]),
  scheme: "http",
} as const;

const status = (method: string, headers: Record<string, string> | [string, string][]) =>
  refusalOf({
    method,
    rawHeaders: (Array.isArray(headers) ? headers : Object.entries(headers)).flat(),
  }, RULES)?.status;

Deno.test("refusalOf() refuses hosts that are not configured, as in DNS rebinding", () => {
  for (const host of ["127.0.0.1:9900", "localhost", "[::1]:9900", "LAB.example:80", "127.0.0.1"]) {
    assert.equal(status("GET", { Host: host }), undefined, host);
  }
  for (
    const host of [
      ...["evil.example", "evil.example:9900", "127.0.0.1.evil.example", "localhost.evil.example"],
      ...[
        "127.0.0.1@evil.example",
        "",
        "127.0.0.2",
        "[::1",
        "lab.example.",
        "evil.example#localhost",
      ],
    ]
  ) {
    assert.equal(status("GET", { Host: host }), 421, host);
  }
  assert.equal(status("GET", {}), 400);
  assert.equal(status("GET", [["Host", "localhost"], ["host", "evil.example"]]), 400);
});

Deno.test("refusalOf() refuses requests of pages of other sites, and of pages without an origin", () => {
  const from = (headers: Record<string, string>) =>
    status("GET", { Host: "localhost:9900", ...headers });
  assert.equal(from({ Origin: "http://localhost:9900" }), undefined);
  for (
    const origin of [
      ...["null", "http://evil.example", "http://localhost:8080", "https://localhost:9900"],
      ...["http://localhost:9900.evil.example", "http://127.0.0.1:9900", ""],
    ]
  ) {
    assert.equal(from({ Origin: origin }), 403, origin);
  }
  assert.equal(from({ "Sec-Fetch-Site": "same-origin" }), undefined);
  assert.equal(from({ "Sec-Fetch-Site": "none" }), undefined);
  for (const site of ["cross-site", "same-site", "", "Same-Origin"]) {
    assert.equal(from({ "Sec-Fetch-Site": site }), 403, site);
  }
});

Deno.test("refusalOf() accepts a change only as JSON, which a page of another site cannot send without a preflight request", () => {
  const typed = (type: string, method = "PUT") =>
    status(method, { Host: "localhost", "Content-Type": type });
  for (const type of ["application/json", "Application/JSON; charset=utf-8"]) {
    assert.equal(typed(type), undefined, type);
  }
  for (
    const type of [
      ...["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""],
      ...["text/plain; application/json", "application/jsonx", "application/json-patch+json"],
    ]
  ) {
    for (const method of ["PUT", "POST", "DELETE"]) assert.equal(typed(type, method), 415, type);
  }
  for (const method of ["PUT", "POST"]) assert.equal(status(method, { Host: "localhost" }), 415);
  assert.equal(status("DELETE", { Host: "localhost" }), undefined);
  assert.equal(
    status("POST", [["Host", "localhost"], ["Content-Type", "application/json"], [
      "content-type",
      "text/plain",
    ]]),
    415,
  );
});

Deno.test("presentedToken() reads one Authorization header, and nothing else", () => {
  assert.equal(presentedToken(["Authorization", "Bearer abc"]), "abc");
  assert.equal(presentedToken(["authorization", "bearer abc"]), "abc");
  assert.equal(presentedToken(["Authorization", "Basic abc"]), undefined);
  assert.equal(presentedToken(["Authorization", "Bearer "]), undefined);
  assert.equal(presentedToken(["Authorization", "Bearer a b"]), undefined);
  const two = ["Authorization", "Bearer a", "Authorization", "Bearer b"];
  assert.equal(presentedToken(two), undefined);
});

Deno.test("typedToken() reads the password of one Authorization header", () => {
  assert.equal(typedToken(["Authorization", `Basic ${btoa(":abc")}`]), "abc");
  assert.equal(typedToken(["Authorization", `Basic ${btoa("me:a:b")}`]), "a:b");
  for (const value of ["Bearer abc", "Basic", "Basic !", "Basic A", `Basic ${btoa("abc")}`]) {
    assert.equal(typedToken(["Authorization", value]), undefined, value);
  }
  const one = ["Authorization", `Basic ${btoa(":abc")}`];
  assert.equal(typedToken([...one, ...one]), undefined);
});

Deno.test("the API: beyond loopback a browser asks for the token; with the password that it then sends, nothing can be changed", async () => {
  await using lab = await adminLab({ admin: { listen: { host: "0.0.0.0", port: 0 } } });
  const url = lab.url.replace("0.0.0.0", "127.0.0.1");
  for (const path of ["/", "/dashboard.js", "/api/status"]) {
    assert.equal((await ask(url + path)).headers.get("WWW-Authenticate"), "Bearer", path);
    const page = await ask(url + path, { headers: { "Accept": "text/html,*/*" } });
    assert.equal(page.status, 401);
    assert.equal(page.headers.get("WWW-Authenticate"), 'Basic realm="lbsim"');
    const typed = { "Authorization": `Basic ${btoa(`:${lab.token}`)}` };
    assert.equal((await ask(url + path, { headers: typed })).status, 200, path);
    const wrong = { "Authorization": `Basic ${btoa(`:${lab.token}x`)}` };
    assert.equal((await ask(url + path, { headers: wrong })).status, 401, path);
  }
  const { status } = await ask(`${url}/api/backends/B1/state`, {
    method: "PUT",
    headers: {
      "Authorization": `Basic ${btoa(`:${lab.token}`)}`,
      "Content-Type": "application/json",
    },
    body: '{"state":"drain"}',
  });
  assert.equal(status, 401);
});

Deno.test("the API serves the dashboard with its Content-Security-Policy", async () => {
  await using lab = await adminLab();
  const { status, text, headers } = await lab.get("/?theme=dark");
  assert.equal(status, 200);
  assert.match(text, /<title>lbsim dashboard<\/title>/);
  assert.match(headers.get("Content-Security-Policy")!, /script-src 'self'/);
  assert.equal(headers.get("X-Content-Type-Options"), "nosniff");
  for (const path of ["/dashboard.js", "/dashboard.css", "/dashboard.svg"]) {
    assert.equal((await lab.get(path)).status, 200, path);
  }
  assert.equal((await lab.get("/dashboard.html")).status, 404);
});

Deno.test("the API: on loopback, reading needs no token, but a change needs it", async () => {
  await using lab = await adminLab();
  assert.equal((await lab.get("/api/status")).status, 200);
  const change = (headers: Record<string, string>, query = "") =>
    ask(`${lab.url}/api/backends/B1/state${query}`, {
      method: "PUT",
      headers: { "Content-Type": "application/json", ...headers },
      body: '{"state":"drain"}',
    });
  for (
    const authorization of [
      ...["", "Bearer", "Bearer wrong", `Bearer ${lab.token.slice(0, -1)}`, `Bearer ${lab.token}x`],
      ...[`Basic ${lab.token}`, lab.token],
    ]
  ) {
    const { status, headers, json } = await change({ "Authorization": authorization });
    assert.equal(status, 401, authorization);
    assert.equal(headers.get("WWW-Authenticate"), "Bearer");
    assert.match(json.error, /token/);
  }
  assert.equal((await change({}, `?token=${lab.token}`)).status, 401);
  assert.equal(lab.balancer.config.backends[0]!.mode, "ready");
  assert.equal((await change({ "Authorization": `Bearer ${lab.token}` })).status, 200);
  assert.equal(lab.balancer.config.backends[0]!.mode, "drain");
});

Deno.test("the API: without a token file nothing can be changed", async () => {
  await using lab = await adminLab({ admin: { tokenFile: undefined } as never });
  const { status, json } = await lab.change("PUT", "/api/backends/B1/state", { state: "drain" });
  assert.equal(status, 403);
  assert.match(json.error, /admin\.token_file/);
  assert.equal((await lab.get("/api/status")).status, 200);
});

Deno.test("the API: the token file is created at the first start, only its user can read it, and later starts keep it", async () => {
  await using lab = await adminLab();
  assert.match(lab.token, /^[\w-]{43}$/);
  if (Deno.build.os !== "windows") {
    assert.equal((await Deno.stat(lab.tokenFile)).mode! & 0o777, 0o600);
  }
  assert.equal(await new TokenFile(lab.tokenFile).create(), false);
  assert.equal((await Deno.readTextFile(lab.tokenFile)).trim(), lab.token);
});

Deno.test("the API: if the token file is empty, too short, missing or a folder, no change is possible", async () => {
  await using lab = await adminLab();
  const drain = () => lab.change("PUT", "/api/backends/B1/state", { state: "drain" });
  const token = new TokenFile(lab.tokenFile);
  for (const text of ["", "\n", "   \n", "short\n", "x".repeat(5000)]) {
    await Deno.writeTextFile(lab.tokenFile, text);
    assert.equal((await drain()).status, 401, JSON.stringify(text.slice(0, 9)));
    assert.equal(await token.matches(text.trim()), false);
    assert.notEqual(await token.problem(), undefined);
  }
  await Deno.remove(lab.tokenFile);
  assert.equal((await drain()).status, 401);
  await Deno.mkdir(lab.tokenFile);
  assert.equal((await drain()).status, 401);
  await Deno.remove(lab.tokenFile);
  await Deno.writeTextFile(lab.tokenFile, `${lab.token}\n`, { mode: 0o600 });
  assert.equal((await drain()).status, 200);
});

Deno.test("TokenFile.problem() says that other users may read the file", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using lab = await adminLab();
  const token = new TokenFile(lab.tokenFile);
  assert.equal(await token.problem(), undefined);
  await Deno.chmod(lab.tokenFile, 0o644);
  assert.match((await token.problem())!, /chmod 600/);
});

Deno.test("the API: beyond loopback every request needs the token, and without TLS there is a warning", async () => {
  await using lab = await adminLab({ admin: { listen: { host: "0.0.0.0", port: 0 } } });
  const url = lab.url.replace("0.0.0.0", "127.0.0.1");
  for (
    const path of ["/api/status", "/metrics", "/healthz", "/readyz", "/api/events", "/nothing"]
  ) {
    assert.equal((await ask(`${url}${path}`)).status, 401, path);
  }
  const headers = { "Authorization": `Bearer ${lab.token}` };
  assert.equal((await ask(`${url}/api/status`, { headers })).status, 200);
  assert.equal(lab.warnings.length, 1);
  assert.match(lab.warnings[0]!, /has no TLS/);
});

Deno.test("the API: GET changes nothing", async () => {
  await using lab = await adminLab();
  for (
    const [path, allowed] of [
      ["/api/backends/B1/state", "PUT, DELETE"],
      ["/api/backends/B1/weight", "PUT, DELETE"],
      ["/api/algorithm", "PUT, DELETE"],
      ["/api/wishes", "DELETE"],
      ["/api/sessions/10.0.0.1", "DELETE"],
      ["/api/reload", "POST"],
      ["/api/explain", "POST"],
    ] as const
  ) {
    const { status, headers } = await lab.get(`${path}?state=drain&weight=7`, {
      "Authorization": `Bearer ${lab.token}`,
    });
    assert.equal(status, 405, path);
    assert.equal(headers.get("Allow"), allowed);
  }
  for (const method of ["PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"]) {
    const answer = await raw(
      lab.address,
      `${method} /api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
        `Authorization: Bearer ${lab.token}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
    );
    assert.match(answer, /^HTTP\/1\.1 405 /, method);
  }
  assert.deepEqual(lab.balancer.wishes, { backends: {} });
});

Deno.test("the API: no answer allows other sites to read it", async () => {
  await using lab = await adminLab();
  const { headers } = await lab.get("/api/status");
  assert.equal(headers.get("Access-Control-Allow-Origin"), null);
  assert.match(headers.get("Content-Security-Policy")!, /frame-ancestors 'none'/);
  assert.equal(headers.get("X-Content-Type-Options"), "nosniff");
  assert.equal(headers.get("Cache-Control"), "no-store");
  const preflight = await raw(
    lab.address,
    "OPTIONS /api/algorithm HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n" +
      "Access-Control-Request-Method: PUT\r\nConnection: close\r\n\r\n",
  );
  assert.match(preflight, /^HTTP\/1\.1 403 /);
  assert.doesNotMatch(preflight, /access-control-allow/i);
});

Deno.test("the API: the size of headers and bodies is limited", async () => {
  await using lab = await adminLab();
  const head = "GET /api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
  assert.match(
    await raw(lab.address, `${head}X-Long: ${"x".repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  );
  const body = `{"client":"${"1".repeat(100_000)}"}`;
  const { status, json } = await ask(`${lab.url}/api/explain`, {
    method: "POST",
    headers: { "Authorization": `Bearer ${lab.token}`, "Content-Type": "application/json" },
    body,
  });
  assert.equal(status, 413);
  assert.match(json.error, /65536 bytes/);
});

Deno.test("the API: if headers or a body do not arrive, the answer is 408", async () => {
  await using lab = await adminLab();
  const put =
    "PUT /api/algorithm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
    `Authorization: Bearer ${lab.token}\r\nContent-Length: 100\r\n\r\n{`;
  const answers = await Promise.all(
    ["", "GET / HTTP/1.1\r\nHost: local", put].map((text) => raw(lab.address, text)),
  );
  for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 408 /);
});

Deno.test("the API: the number of connections is limited, and a closed connection makes room", async () => {
  await using lab = await adminLab();
  const held: Deno.Conn[] = [];
  try {
    for (let i = 0; i < 64; i++) held.push(await Deno.connect(lab.address));
    // A connection beyond the limit is closed at once.
    await eventually(
      async () =>
        (await raw(lab.address, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").catch(() =>
          ""
        )) === "",
      "no more are accepted",
    );
  } finally {
    held.forEach((connection) => connection.close());
  }
  await eventually(
    async () => (await lab.get("/healthz").catch(() => undefined))?.status === 200,
    "the API answers again",
  );
});

Deno.test("the API: text that is not HTTP, or is ambiguous, is refused", async () => {
  await using lab = await adminLab();
  for (
    const text of [
      "\x16\x03\x01\x02\x00\x01\r\n\r\n",
      "GET http://evil.example/api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      "GET /api/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ]
  ) {
    assert.match(await raw(lab.address, text), /^HTTP\/1\.1 400 /, JSON.stringify(text));
  }
});

Deno.test("Admin.start() warns if the default port is in use, and throws if a configured port is", async () => {
  await using lab = await adminLab();
  const { balancer, monitor, events, address } = lab;
  const warnings: string[] = [];
  const options = {
    ...{ balancer, monitor, events, now: () => 0 },
    explain: () => assert.fail("nothing is asked"),
    reload: () => Promise.resolve(undefined),
    warn: (sentence: string) => void warnings.push(sentence),
  };
  const listen = { host: address.hostname, port: address.port };
  await assert.rejects(
    Admin.start({ ...options, config: { listen, hosts: [] } }),
    /cannot listen on 127\.0\.0\.1:\d+: it is in use/,
  );
  let taken: Deno.Listener | undefined;
  try {
    taken = Deno.listen({ hostname: "127.0.0.1", port: 9900 });
  } catch (error) {
    assert.ok(error instanceof Deno.errors.AddrInUse);
  }
  try {
    assert.equal(await Admin.start({ ...options, config: { hosts: [] } }), undefined);
  } finally {
    taken?.close();
  }
  assert.match(warnings[0]!, /127\.0\.0\.1:9900: it is in use; the balancer runs without the API/);
});

Deno.test(
  "Admin.start() listens on a Unix socket, and replaces a socket file that a killed balancer has left",
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "lbsim-admin-" });
    const path = `${folder}/admin.sock`;
    try {
      for (let i = 0; i < 2; i++) {
        await using lab = await adminLab({ admin: { listen: { path } } });
        assert.equal(lab.url, `unix:${path}`);
        assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
        const text = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        assert.match(await raw({ transport: "unix", path }, text), /^HTTP\/1\.1 200 /);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
