/** TLS from the command line: the output of `check`, and certificates that change while the balancer runs. */
import assert from "node:assert/strict";
import { connectTls, TLS_FILES } from "../support/certificates.ts";
import { addressOf, lbsim, RunningLbsim } from "../support/process.ts";

/** Runs a test in a directory with a configuration and copies of the certificates. */
async function inLab(text: string, act: (cwd: string) => Promise<void>): Promise<void> {
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${cwd}/config.yaml`, text);
    for await (const { name } of Deno.readDir(TLS_FILES)) {
      await Deno.copyFile(`${TLS_FILES}/${name}`, `${cwd}/${name}`);
    }
    await act(cwd);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

function config(tls: string, backend = "127.0.0.1:1"): string {
  return `listen: 127.0.0.1:0\nbackends:\n  - {id: B1, address: ${backend}}\n${tls}\nadmin: {listen: off}\n`;
}

interface Case {
  readonly name: string;
  readonly tls: string;
  readonly code: 0 | 2;
  readonly says: RegExp;
}

const CASES: readonly Case[] = [
  {
    name: "a valid certificate",
    tls: "tls: {certificate: one.pem, key: one.key}",
    code: 0,
    says: /TLS +clients speak TLS; .* for localhost, one\.test, 127\.0\.0\.1, ::1, .* 2099-12-31\n/,
  },
  {
    name: "a certificate that clients refuse",
    tls: "tls: {certificate: nameless.pem, key: one.key}",
    code: 0,
    says: /for no name at all, .*\n +! the certificate has no subjectAltName .* refuse it\n/,
  },
  {
    name: "a CA that has expired",
    tls: "backend_tls: {ca: expired.pem}",
    code: 2,
    says: /:4:19: backend_tls\.ca: expired\.pem: the CA in it has expired, on 2021-01-01\n/,
  },
  {
    name: "backends with TLS",
    tls: "backend_tls: {ca: ca.pem, server_name: one.test}\nhealth_check: {port: 80}",
    code: 0,
    says:
      /TLS +.*a certificate for one\.test, signed by a CA in ca\.pem or .*\n +probes of port 80 do not/,
  },
  {
    name: "backends with TLS and public certificates",
    tls: "backend_tls: {}",
    code: 0,
    says: /TLS +.* for the host of its address, signed by a public CA\n/,
  },
  {
    name: "a file that does not exist",
    tls: "tls: {certificate: no.pem, key: one.key}",
    code: 2,
    says:
      /^lbsim: config\.yaml:4:20: tls\.certificate: no\.pem: there is no such file\n {2}4 \| tls: .*\n {4}\| {20}\^{6}\n/,
  },
  {
    name: "a key that belongs to another certificate",
    tls: "tls: {certificate: one.pem, key: two.key}",
    code: 2,
    says: /:4:34: tls\.key: two\.key: the key does not belong to the certificate in one\.pem\n/,
  },
  {
    name: "a certificate that has expired, and a CA file without a certificate",
    tls: "tls:\n  certificate: expired.pem\n  key: one.key\nbackend_tls: {ca: one.key}",
    code: 2,
    says:
      /:5:16: tls\.certificate: .* expired on 2021-01-01\n[^]*renew it\n\n.*:7:19: backend_tls\.ca: .* no certificate/,
  },
  {
    name: "a certificate without a key",
    tls: "tls: {certificate: one.pem}",
    code: 2,
    says: /:4:1: tls\.key is missing\n[^]*add it, like `key: key\.pem`/,
  },
];

for (const { name, tls, code, says } of CASES) {
  Deno.test(`lbsim check of ${name}`, () =>
    inLab(config(tls), async (cwd) => {
      const outcome = await lbsim(["check"], { cwd });
      assert.match(code === 0 ? outcome.stdout : outcome.stderr, says);
      assert.equal(outcome.code, code);
    }));
}

Deno.test("lbsim check finds the files from another directory, and --json shows the certificate", () =>
  inLab(config("tls: {certificate: one.pem, key: one.key}"), async (cwd) => {
    const { code, stdout } = await lbsim(["check", `${cwd}/config.yaml`, "--json"]);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout).certificate, {
      names: ["localhost", "one.test", "127.0.0.1", "::1"],
      expires_at: "2099-12-31T00:00:00.000Z",
      warnings: [],
    });
  }));

for (const command of ["lb", "up"]) {
  Deno.test(`lbsim ${command} does not start with a bad certificate`, () =>
    inLab(config("tls: {certificate: expired.pem, key: one.key}"), async (cwd) => {
      const { code, stderr } = await lbsim([command], { cwd });
      assert.equal(code, 2);
      assert.match(stderr, /^lbsim: config\.yaml:4:20: .* expired on 2021-01-01\n/);
    }));
}

for (const args of [["explain"], ["sim", "--set", "duration=1s", "--replications", "2"]]) {
  Deno.test(`lbsim ${args[0]} needs no certificate`, () =>
    inLab(config("tls: {certificate: no.pem, key: no.key}\nbackend_tls: {}"), async (cwd) => {
      const { code, stderr } = await lbsim(args, { cwd });
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    }));
}

Deno.test("lbsim client and lbsim backend use TLS, and the client refuses a server that it cannot verify", () =>
  inLab("", async (cwd) => {
    const speaking = ["--tls-cert", "one.pem", "--tls-key", "one.key"];
    await using backend = new RunningLbsim(["backend", "127.0.0.1:0", ...speaking], { cwd });
    const address = await addressOf(backend);
    const client = (...args: string[]) => lbsim(["client", address, "hi", ...args], { cwd });
    const trusted = await client("--ca", "ca.pem");
    assert.deepEqual([trusted.stdout, trusted.code], ["Hello from B1: hi\n", 0]);
    assert.equal((await client("--ca", "ca.pem", "--server-name", "one.test")).code, 0);
    const cases: readonly (readonly [string[], RegExp])[] = [
      [["--tls"], /no TLS with .*: its certificate is not signed by a CA that is trusted/],
      [["--ca", "other_ca.pem"], /is not signed by a CA that is trusted/],
      [
        ["--ca", "ca.pem", "--server-name", "two.test"],
        /certificate is not for two\.test, but for/,
      ],
    ];
    for (const [args, says] of cases) {
      const { code, stderr } = await client(...args);
      assert.equal(code, 1);
      assert.match(stderr, says);
    }
    const load = ["--ca", "ca.pem", "--closed", "2", "--duration", "1s", "--json"];
    const { code, stdout } = await lbsim(["bench", address, ...load], { cwd });
    assert.equal(code, 0);
    assert.ok(JSON.parse(stdout).answers > 0);
  }));

Deno.test("lbsim client uses TLS if the config says that the balancer does", () =>
  inLab("", async (cwd) => {
    await using backend = new RunningLbsim(["backend", "127.0.0.1:0"]);
    const text = config("tls: {certificate: one.pem, key: one.key}", await addressOf(backend));
    await Deno.writeTextFile(`${cwd}/config.yaml`, text);
    await using lb = new RunningLbsim(["lb"], { cwd });
    const listening = text.replace("127.0.0.1:0", await addressOf(lb));
    await Deno.writeTextFile(`${cwd}/client.yaml`, listening);
    const client = (...args: string[]) =>
      lbsim(["client", "--config", "client.yaml", ...args], { cwd, stdin: "hi\n" });
    assert.equal((await client("--ca", "ca.pem")).stdout, "Hello from B1: hi\n");
    assert.match((await client()).stderr, /not signed by a CA that is trusted/);
  }));

for (
  const [args, says] of [
    [
      ["backend", "127.0.0.1:0", "--tls-cert", "one.pem"],
      /--tls-cert and --tls-key must be used together/,
    ],
    [
      ["backend", "127.0.0.1:0", "--tls-cert", "one.pem", "--tls-key", "two.key"],
      /^lbsim: two\.key: the key does not belong to the certificate in one\.pem\n/,
    ],
    [
      ["client", "127.0.0.1:1", "--ca", "one.key"],
      /^lbsim: one\.key: there is no certificate in it\n/,
    ],
  ] as const
) {
  Deno.test(`lbsim ${args.join(" ")} is refused`, () =>
    inLab("", async (cwd) => {
      const { code, stderr } = await lbsim(args, { cwd });
      assert.match(stderr, says);
      assert.equal(code, 2);
    }));
}

const TLS_ONE = "tls: {certificate: one.pem, key: one.key}\ntimeouts: {drain: 200ms}";

/** On Windows, a signal ends a process at once. */
const ignore = Deno.build.os === "windows";

Deno.test(
  "lbsim lb uses a certificate that replaces the old one, and rejects an invalid one",
  { ignore },
  async () => {
    await using backend = new RunningLbsim(["backend", "127.0.0.1:0", "--id", "B1"]);
    const address = await addressOf(backend);
    await inLab(config(TLS_ONE, address), async (cwd) => {
      await using lb = new RunningLbsim(["lb"], { cwd });
      const [host, port] = (await addressOf(lb)).split(":");
      const connect = (name: string) => connectTls({ host: host!, port: Number(port) }, { name });
      using early = await connect("one.test");
      assert.match(await hello(early), /Hello from B1/);

      // New files replace the old ones, the key before the certificate.
      const replace = async (from: string, to: string) => {
        await Deno.copyFile(`${cwd}/${from}`, `${cwd}/new`);
        await Deno.rename(`${cwd}/new`, `${cwd}/${to}`);
      };
      await replace("two.key", "one.key");
      await lb.line((line) => line.includes("the key does not belong to the certificate"));
      using between = await connect("one.test");
      assert.match(await hello(between), /Hello from B1/);

      await replace("two.pem", "one.pem");
      await lb.line((line) => line.includes("config_reloaded"));
      const { changes } = lb.records.find(({ event }) => event === "config_reloaded")!;
      assert.deepEqual(changes, [
        "another certificate, for localhost, two.test, 127.0.0.1, ::1, until 2099-12-31",
      ]);
      using late = await connect("two.test");
      assert.match(await hello(late), /Hello from B1/);
      assert.match(await hello(early), /Hello from B1/);
      assert.equal(lb.records.filter(({ event }) => event === "reload_failed").length, 1);

      // The configuration may name a file that does not exist yet: the balancer uses it when it is created.
      await Deno.writeTextFile(
        `${cwd}/config.yaml`,
        config(TLS_ONE, address).replace("one.pem", "next.pem"),
      );
      await lb.line((line) => line.includes("next.pem: there is no such file"));
      await Deno.copyFile(`${cwd}/one.pem`, `${cwd}/next.pem`);
      await lb.line((line) => line.includes("tls.certificate: one.pem → next.pem"));
      lb.kill("SIGTERM");
      await lb.ended();
    });
  },
);

Deno.test(
  "lbsim lb applies all other changes if a certificate has expired",
  { ignore },
  () =>
    inLab(config(TLS_ONE), async (cwd) => {
      await using lb = new RunningLbsim(["lb"], { cwd });
      const [host, port] = (await addressOf(lb)).split(":");
      await Deno.copyFile(`${cwd}/expired.pem`, `${cwd}/one.pem`);
      await Deno.writeTextFile(`${cwd}/config.yaml`, config(`${TLS_ONE}\nretries: 7`));
      await lb.line((line) => line.includes("retries: 3 → 7"));
      await lb.line((line) =>
        /"warning".* expired on 2021-01-01: the present certificate stays in use/.test(line)
      );
      using _connection = await connectTls({ host: host!, port: Number(port) });
      lb.kill("SIGTERM");
      await lb.ended();
    }),
);

async function hello(connection: Deno.Conn): Promise<string> {
  await connection.write(new TextEncoder().encode("hi\n"));
  const buffer = new Uint8Array(100);
  return new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer) ?? 0));
}
