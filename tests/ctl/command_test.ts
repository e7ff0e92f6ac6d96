/** `lbsim ctl` as a program, with a real balancer and its admin API. */
import assert from "node:assert/strict";
import type { Balancer } from "../../lb/balancer.ts";
import { adminLab, type AdminLabOptions } from "../support/admin.ts";
import { TLS_FILES } from "../support/certificates.ts";
import { hurtableLab } from "../support/hurtable.ts";
import { deadAddress, echo, TestServer } from "../support/sockets.ts";
import { lbsim, type Outcome, RunningLbsim } from "../support/process.ts";

type Lab = Awaited<ReturnType<typeof adminLab>>;

/** A configuration file with the address of a lab's API. */
async function fileOf(lab: Lab, admin: string = adminOf(lab)): Promise<string> {
  const file = `${lab.folder}/config.yaml`;
  await Deno.writeTextFile(
    file,
    `backends: [{id: B1, address: 127.0.0.1:9}]\nadmin: {${admin}}\n`,
  );
  return file;
}

function adminOf({ url }: Lab): string {
  return `listen: "${url.replace(/^https?:\/\//, "")}", token_file: admin.token`;
}

/** A balancer with two backends that need not exist, and a function that runs `ctl`. */
async function withCtl(
  test: (ctl: (...args: string[]) => Promise<Outcome>, lab: Lab, file: string) => Promise<void>,
  options: AdminLabOptions = {},
): Promise<void> {
  await using lab = await adminLab({ backends: [deadAddress(), deadAddress()], ...options });
  const file = await fileOf(lab);
  await test((...args) => lbsim(["ctl", ...args, "--config", file]), lab, file);
}

/** The output of a command that has succeeded. */
function printed({ code, stdout, stderr }: Outcome): string {
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  return stdout;
}

const modeOf = ({ balancer }: Lab, id: string) => balancer.scheduler.backend(id)!.mode;

Deno.test("ctl status prints plain lines into a pipe, and with --json the answer of the API", () =>
  withCtl(async (ctl, lab) => {
    const text = printed(await ctl("status"));
    assert.match(text, /^lbsim \S+ on 127\.0\.0\.1:\d+ {2}round-robin {2}up \d+s\n/);
    assert.match(text, /\nid {2}state +wt {2}last probe .* changed\nB1 {2}.*\nB2 {2}.*\n$/);
    // deno-lint-ignore no-control-regex -- the output must not have any
    assert.doesNotMatch(text, /\x1b/);
    const snapshot = JSON.parse(printed(await ctl("status", "--json")));
    assert.deepEqual(Object.keys(snapshot), Object.keys((await lab.get("/api/status")).json));
  }));

Deno.test("ctl status --watch prints the state again and again into a pipe, until Ctrl-C", () =>
  withCtl(async (_, __, file) => {
    await using ctl = new RunningLbsim([
      ...["ctl", "status", "--watch", "--json", "--config", file],
    ]);
    await ctl.line(() => ctl.records.length >= 2);
    ctl.kill("SIGINT");
    assert.equal(await ctl.ended(), 0);
  }));

Deno.test("ctl drain, maintenance and ready set the operator's wish for a backend", () =>
  withCtl(async (ctl, lab) => {
    assert.equal(
      printed(await ctl("drain", "B1")),
      "B1 is draining with 0 connections in flight; set by the operator: B1.mode: ready → drain\n",
    );
    assert.equal(modeOf(lab, "B1"), "drain");
    assert.match(printed(await ctl("maintenance", "B1")), /^B1 is in maintenance with 0 /);
    assert.equal(modeOf(lab, "B1"), "maintenance");
    assert.equal(
      printed(await ctl("ready", "B1")),
      "B1 is ready; nothing differs from the file\n",
    );
    assert.equal(modeOf(lab, "B1"), "ready");
    assert.deepEqual(JSON.parse(printed(await ctl("drain", "B2", "--json"))), {
      wishes: ["B2.mode: ready → drain"],
    });
  }));

Deno.test("ctl drain --wait ends when the last connection has ended, or fails after --timeout", async () => {
  await using server = new TestServer(echo);
  await withCtl(async (ctl, lab, file) => {
    const { host, port } = lab.balancer.address;
    const client = await Deno.connect({ hostname: host, port });
    try {
      await client.write(new Uint8Array([1]));
      await client.read(new Uint8Array(1));
      const late = await ctl("drain", "B1", "--wait", "--timeout", "1ms");
      assert.equal(late.code, 1);
      assert.equal(late.stderr, "lbsim: B1 still has 1 connection in flight after 1ms\n");
      await using waiting = new RunningLbsim(["ctl", "drain", "B1", "--wait", "--config", file]);
      await waiting.line((line) => line.startsWith("B1 is draining with 1 connection in flight"));
      client.close();
      await waiting.line((line) => line === "B1 has no connection in flight");
      assert.equal(await waiting.ended(), 0);
    } finally {
      try {
        client.close();
      } catch {
        // The connection is closed already.
      }
    }
  }, { backends: [server.address] });
});

Deno.test("ctl drain --wait ends at Ctrl-C, with exit code 130", async () => {
  await using server = new TestServer(echo);
  await withCtl(async (_, lab, file) => {
    const { host, port } = lab.balancer.address;
    using client = await Deno.connect({ hostname: host, port });
    await client.write(new Uint8Array([1]));
    await client.read(new Uint8Array(1));
    await using waiting = new RunningLbsim(["ctl", "drain", "B1", "--wait", "--config", file]);
    await waiting.line((line) => line.startsWith("B1 is draining"));
    waiting.kill("SIGINT");
    assert.equal(await waiting.ended(), 130);
  }, { backends: [server.address] });
});

Deno.test("ctl weight and ctl algorithm override the file, and ctl withdraw lets the file decide again", () =>
  withCtl(async (ctl, { balancer }) => {
    const weight = () => balancer.scheduler.backend("B2")!.weight;
    assert.equal(
      printed(await ctl("weight", "B2", "3")),
      "B2 has weight 3; set by the operator: B2.weight: 1 → 3\n",
    );
    assert.equal(weight(), 3);
    assert.match(
      printed(await ctl("algorithm", "least-connections")),
      /^the algorithm is least-connections; .*algorithm: round-robin → least-connections/,
    );
    assert.equal(balancer.config.algorithm.name, "least-connections");
    assert.match(
      printed(await ctl("withdraw", "B2")),
      /^the changes to B2 are withdrawn; set by the operator/,
    );
    assert.equal(weight(), 1);
    assert.equal(
      printed(await ctl("withdraw")),
      "all changes are withdrawn; nothing differs from the file\n",
    );
    assert.equal(balancer.config.algorithm.name, "round-robin");
  }));

Deno.test("ctl sessions lists each client with the backend to which it sticks", async () => {
  await withCtl(async (ctl) => {
    assert.match(printed(await ctl("sessions")), /^clients do not stick/);
  });
  await using server = new TestServer(echo);
  const sticky = {
    by: "client-address",
    ipv4Prefix: 32,
    ipv6Prefix: 128,
    ttl: 600e9,
    maxEntries: 100,
    onFailback: "return",
    drain: "move",
    store: "memory",
  } as const;
  await withCtl(async (ctl, { balancer }) => {
    assert.equal(printed(await ctl("sessions")), "no client has a session\n");
    const { host, port } = balancer.address;
    using client = await Deno.connect({ hostname: host, port });
    await client.write(new Uint8Array([1]));
    await client.read(new Uint8Array(1));
    assert.match(
      printed(await ctl("sessions")),
      /^client +backend +home +connections +used\n127\.0\.0\.1 +B1 +B1 +1 +\d+s ago\n$/,
    );
    assert.equal(
      printed(await ctl("sessions", "--client", "10.0.0.1")),
      "10.0.0.1 has no session\n",
    );
    const { sessions } = JSON.parse(printed(await ctl("sessions", "--json")));
    assert.equal(sessions[0].client, "127.0.0.1");
  }, { backends: [server.address], config: { sticky } });
});

/** Runs `ctl events` until it has printed a fitting line. A weight is changed again and again until then. */
async function eventsUntil(
  file: string,
  args: readonly string[],
  balancer: Balancer,
  fits: (line: string) => boolean,
): Promise<string> {
  await using ctl = new RunningLbsim(["ctl", "events", ...args, "--config", file]);
  let isDone = false;
  // The first changes may come before `ctl` reads events.
  const changing = (async () => {
    for (let i = 1; !isDone; i = i % 2 + 1) {
      await balancer.wish({ backends: { B1: { weight: i } } });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  try {
    const line = await ctl.line(fits);
    ctl.kill("SIGINT");
    assert.equal(await ctl.ended(), 0);
    return line;
  } finally {
    isDone = true;
    await changing;
  }
}

Deno.test("ctl events prints events as sentences, and with --json as the API sends them", () =>
  withCtl(async (_, { balancer }, file) => {
    await eventsUntil(
      file,
      [],
      balancer,
      (line) => /^\d\d:\d\d:\d\d\.\d{3} the operator changed B1\.weight: 1 → 2; /.test(line),
    );
    const line = await eventsUntil(file, ["--json"], balancer, (line) => line.startsWith("{"));
    assert.equal(JSON.parse(line).type, "wishes_changed");
  }));

Deno.test("ctl explain shows the backend that a client would get now", () =>
  withCtl(async (ctl) => {
    const text = printed(await ctl("explain", "--client", "10.0.0.7"));
    assert.match(text, /^10\.0\.0\.7 goes to B1: .*\n\nbackend +weight +in flight +score\nB1 /);
    const { client, backend } = JSON.parse(
      printed(await ctl("explain", "--client", "::ffff:10.0.0.7", "--json")),
    );
    assert.deepEqual({ client, backend }, { client: "10.0.0.7", backend: "B1" });
  }));

Deno.test("ctl reload makes the balancer read its configuration again, or says why it was not applied", async () => {
  await withCtl(async (ctl) => {
    assert.equal(printed(await ctl("reload")), "the balancer has read its configuration again\n");
  });
  await withCtl(async (ctl) => {
    const { code, stderr } = await ctl("reload");
    assert.deepEqual({ code, stderr }, { code: 1, stderr: "lbsim: a\\u001b[2J mistake\n" });
  }, { reload: () => Promise.resolve("a\x1b[2J mistake") });
});

Deno.test("ctl connects to a Unix socket, too", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/admin.sock`;
    await withCtl(async (ctl, lab) => {
      assert.equal(lab.url, `unix:${path}`);
      assert.match(printed(await ctl("status")), /^lbsim /);
      printed(await ctl("drain", "B1"));
      assert.equal(modeOf(lab, "B1"), "drain");
    }, { admin: { listen: { path } } });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("ctl connects with TLS, and verifies the certificate", async () => {
  const tls = { certificate: `${TLS_FILES}/one.pem`, key: `${TLS_FILES}/one.key` };
  await withCtl(async (ctl, lab) => {
    const written = `, tls: {certificate: "${tls.certificate}", key: "${tls.key}"}`;
    await fileOf(lab, adminOf(lab) + written);
    printed(await ctl("drain", "B1", "--ca", `${TLS_FILES}/ca.pem`));
    assert.equal(modeOf(lab, "B1"), "drain");
    const { code, stderr } = await ctl("ready", "B1", "--ca", `${TLS_FILES}/other_ca.pem`);
    assert.equal(code, 1);
    assert.match(stderr, /^lbsim: no balancer answers at \S+: .*certificate/);
    assert.equal(modeOf(lab, "B1"), "drain");
  }, { admin: { tls } });
});

Deno.test("ctl fault begins faults of a backend, shows them and ends them", async () => {
  await using one = await hurtableLab();
  const file = `${one.lab.folder}/config.yaml`;
  await Deno.writeTextFile(
    file,
    "backends: [{id: B1, address: 127.0.0.1:9}]\n" +
      `admin: {listen: "${new URL(one.lab.url).host}", token_file: ${one.tokenFile}}\n`,
  );
  const ctl = (...args: string[]) => lbsim(["ctl", ...args, "--config", file]);
  assert.equal(printed(await ctl("fault", "B1")), "B1 has no fault\n");
  assert.match(
    printed(await ctl("fault", "B1", "pause", "--for", "300s")),
    /^B1 has the fault pause for another (5m|4m\d+(\.\d)?s)\n$/,
  );
  assert.match(
    printed(await ctl("fault", "B1", "slow", "5x")),
    /\nB1 has the fault slow 5x until `ctl fault B1 --end`\n$/,
  );
  assert.deepEqual(one.faults.active.map(({ fault }) => fault), [
    { name: "pause" },
    { name: "slow", factor: 5 },
  ]);
  const { backend, faults } = JSON.parse(printed(await ctl("fault", "B1", "--json")));
  assert.deepEqual([backend, faults[1].kind], ["B1", { slow: 5 }]);
  assert.match(printed(await ctl("status")), /\nB1 has the fault pause, slow 5x\n/);
  assert.equal(printed(await ctl("fault", "B1", "--end")), "B1 has no fault\n");
  assert.deepEqual(one.faults.active, []);

  const refused: [args: string[], code: number, reason: RegExp][] = [
    [["B2", "hang"], 1, /^lbsim: B2 cannot have faults: .*no `admin` address/],
    [["B9", "hang"], 2, /^lbsim: there is no backend "B9"/],
    [["B1", "hangs"], 2, /unknown fault "hangs"/],
    [["B1", "slow"], 2, /write it like slow 5x/],
    [["B1", "slow", "0x"], 2, /not a factor above 0/],
    [["B1", "hang", "5x"], 2, /hang takes no value/],
    [["B1", "hang", "--end"], 2, /--end ends all faults/],
    [["B1", "--for", "3s"], 2, /--for needs a fault/],
  ];
  for (const [args, code, reason] of refused) {
    const outcome = await ctl("fault", ...args);
    assert.deepEqual([outcome.code, outcome.stdout], [code, ""], args.join(" "));
    assert.match(outcome.stderr, reason);
  }
  assert.deepEqual(one.faults.active, []);
});

Deno.test("ctl says in one sentence that nothing listens, and fails", async () => {
  await using lab = await adminLab();
  const { host, port } = deadAddress();
  const missing = `${lab.folder}/none.sock`;
  for (const where of [`${host}:${port}`, `unix:${missing}`]) {
    const file = await fileOf(lab, `listen: "${where}"`);
    for (
      const args of [["status"], ["status", "--watch"], ["drain", "B1"], ["fault", "B1", "hang"], [
        "events",
      ]]
    ) {
      const { code, stdout, stderr } = await lbsim(["ctl", ...args, "--config", file]);
      const sentence = `lbsim: no balancer answers at ${where}: nothing listens there\n`;
      assert.deepEqual({ code, stdout, stderr }, { code: 1, stdout: "", stderr: sentence });
    }
  }
  const off = await lbsim(["ctl", "status", "--config", await fileOf(lab, `listen: "off"`)]);
  assert.equal(off.code, 1);
  assert.match(off.stderr, /has no admin API: admin\.listen is off\n$/);
});

Deno.test("ctl says that the server is not the API of a balancer", async () => {
  await using lab = await adminLab();
  await using server = new TestServer(async (connection) => {
    await connection.read(new Uint8Array(1024));
    await connection.write(
      new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    );
  });
  const file = await fileOf(lab, `listen: "127.0.0.1:${server.address.port}"`);
  const { code, stderr } = await lbsim(["ctl", "status", "--config", file]);
  assert.equal(code, 1);
  assert.match(stderr, /^lbsim: the server at \S+ is not the admin API of lbsim\n$/);
});

Deno.test("ctl reads without a token on this machine; for a change, it says what is wrong with the token", () =>
  withCtl(async (ctl, lab) => {
    const refused = async (reason: RegExp) => {
      printed(await ctl("status"));
      const { code, stderr } = await ctl("drain", "B1");
      assert.equal(code, 1);
      assert.match(stderr, reason);
      assert.equal(modeOf(lab, "B1"), "ready");
    };
    const other = `${lab.folder}/other.token`;
    await Deno.writeTextFile(other, `${"x".repeat(43)}\n`);
    await fileOf(lab, adminOf(lab).replace("admin.token", "other.token"));
    await refused(/^lbsim: the balancer refuses the token in \S+other\.token\n$/);
    await Deno.writeTextFile(other, "");
    await refused(/^lbsim: the balancer requires its token for this, and there is no token in /);
    await Deno.remove(other);
    await refused(
      /^lbsim: the balancer requires its token for this, and the token file \S+ cannot /,
    );
    await fileOf(lab, adminOf(lab).replace(/, token_file.*/, ""));
    await refused(
      /^lbsim: the balancer requires its token for this, and \S+ has no admin\.token_file/,
    );
  }));

Deno.test("ctl says why the API refuses a change", async () => {
  await withCtl(async (ctl) => {
    const unknown = await ctl("drain", "B9");
    assert.deepEqual({ ...unknown, stdout: "" }, {
      code: 2,
      stdout: "",
      stderr: `lbsim: there is no backend "B9"\n  did you mean "B1"?\n`,
    });
    const heavy = await ctl("weight", "B1", "257");
    assert.equal(heavy.code, 2);
    assert.match(heavy.stderr, /at most 256/);
  });
  await withCtl(async (ctl) => {
    const { code, stderr } = await ctl("drain", "B1");
    assert.equal(code, 1);
    assert.match(stderr, /this API makes no changes: .* no admin\.token_file/);
  }, { admin: { tokenFile: undefined } as never });
});

Deno.test("ctl ends with exit code 2 after wrong usage", async () => {
  for (
    const args of [
      [],
      ["status", "B1"],
      ["drain"],
      ["drain", "B1", "--timeout", "5s"],
      ["weight", "B1", "heavy"],
      ["algorithm", "least"],
      ["explain"],
      ["explain", "--client", "x"],
      ["stauts"],
    ]
  ) {
    const { code, stdout } = await lbsim(["ctl", ...args]);
    assert.deepEqual({ args, code, stdout }, { args, code: 2, stdout: "" });
  }
});

Deno.test("completions suggest the subcommands of ctl, their flags and the algorithms", async () => {
  const complete = async (...words: string[]) => {
    const { stdout } = await lbsim(["complete-words", "--", ...words]);
    return stdout.split("\n").map((line) => line.split("\t")[0]!);
  };
  assert.deepEqual((await complete("ctl", "")).slice(0, 3), ["status", "drain", "ready"]);
  assert.ok((await complete("ctl", "drain", "--")).includes("--wait"));
  assert.ok((await complete("ctl", "drain", "--")).includes("--config"));
  assert.ok((await complete("ctl", "algorithm", "")).includes("least-connections"));
  assert.ok((await complete("ctl", "fault", "--")).includes("--for"));
  assert.ok((await complete("ctl", "status", "--config", "")).includes(":files"));
});
