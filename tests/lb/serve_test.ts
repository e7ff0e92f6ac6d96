import assert from "node:assert/strict";
import FakeTimers from "@sinonjs/fake-timers";
import type { KeyPair } from "../../lib/files/certificates.ts";
import type { LoadedConfig } from "../../lib/files/mod.ts";
import { UnreadableError } from "../../lib/files/text_file.ts";
import { NS_PER_S } from "../../lib/base/mod.ts";
import { startLogging, stopLogging } from "../../lib/cli/log.ts";
import { FileWatch } from "../../lib/io/mod.ts";
import { serveBalancer } from "../../lb/serve.ts";
import { UNPROBED } from "../support/balance.ts";
import { ONE } from "../support/certificates.ts";
import { configOf } from "../support/config.ts";
import { deadAddress, eventually } from "../support/sockets.ts";

/** Permissions of one test: the balancer gives up some, and later tests must still have them. */
const PERMISSIONS = {
  read: true,
  write: true,
  net: true,
  sys: true,
  env: true,
  run: true,
} as const;

/** Runs a balancer without clients; a test checks its log. */
async function serving(
  read: () => Promise<LoadedConfig>,
  look: (records: () => Record<string, unknown>[]) => Promise<void>,
  listener?: KeyPair,
): Promise<void> {
  const lines: string[] = [];
  startLogging({ level: "info", format: "json" }, {
    out: (line) => lines.push(line),
    stdoutIsTerminal: false,
    color: false,
  });
  const records = () => lines.map((line) => JSON.parse(line));
  const stopping = new AbortController();
  const io = { signal: stopping.signal, hurry: stopping.signal };
  const tls = { certificate: "one.pem", key: "one.key", timeout: NS_PER_S };
  const loaded: LoadedConfig = {
    config: configOf([deadAddress()], { ...UNPROBED, ...listener && { tls } }),
    certificates: { ...listener && { listener } },
    expired: [],
  };
  using watch = new FileWatch();
  const serving = serveBalancer(loaded, io, { reload: { file: "config.yaml", read, watch } });
  try {
    await eventually(() => records().some(({ event }) => event === "listening"), "it listens");
    await look(records);
  } finally {
    stopping.abort();
    await serving;
    stopLogging();
  }
}

const read = () => Promise.reject(new TypeError("it was not foreseen"));

Deno.test(
  "serveBalancer() survives a reload that fails because of a defect of lbsim",
  { permissions: PERMISSIONS, ignore: Deno.build.os === "windows" },
  () =>
    serving(read, async (records) => {
      Deno.kill(Deno.pid, "SIGHUP");
      await eventually(
        () => records().some(({ event }) => event === "reload_failed"),
        "it says so",
      );
      const { level, reason } = records().at(-1)!;
      assert.deepEqual([level, reason], [
        "error",
        "a defect of lbsim: TypeError: it was not foreseen",
      ]);
    }),
);

Deno.test(
  "serveBalancer() repeats the read of a file that could not be read, and logs the failure once",
  { permissions: PERMISSIONS, ignore: Deno.build.os === "windows" },
  () => {
    let attempts = 0;
    const full = Object.assign(new Error("Too many open files (os error 24)"), { code: "EMFILE" });
    const config = configOf([deadAddress()], { ...UNPROBED, retries: 7 });
    const read = () => {
      if (++attempts < 3) return Promise.reject(new UnreadableError("config.yaml", full));
      return Promise.resolve({ config, certificates: {}, expired: [] });
    };
    return serving(read, async (records) => {
      Deno.kill(Deno.pid, "SIGHUP");
      await eventually(
        () => records().some(({ event }) => event === "config_reloaded"),
        "it is taken over",
      );
      const failed = records().filter(({ event }) => event === "reload_failed");
      assert.deepEqual(failed.map(({ reason }) => reason), [
        "config.yaml: cannot be read now: this process has the largest allowed number of open files and connections (`ulimit -n`)",
      ]);
      assert.equal(attempts, 3);
    });
  },
);

Deno.test(
  "serveBalancer() warns every day that a certificate will expire, from two weeks before",
  { permissions: PERMISSIONS },
  async () => {
    const DAY_MS = 24 * 60 * 60 * 1000;
    const now = ONE.expiresAtMs - 16.5 * DAY_MS;
    const clock = FakeTimers.install({ now, toFake: ["setInterval", "clearInterval", "Date"] });
    try {
      await serving(read, (records) => {
        // A jump calls each due timer only once, and the balancer has intervals of a second and less.
        for (let day = 0; day < 18; day++) clock.jump(DAY_MS);
        const warnings = records().filter(({ event }) => event === "certificate_warning")
          .map(({ message }) => String(message));
        assert.equal(warnings.length, 16);
        assert.match(warnings[0]!, /expires in 13 days/);
        assert.match(warnings[13]!, /expires in less than a day/);
        assert.match(warnings[14]!, /expired on 2099-12-31/);
        return Promise.resolve();
      }, ONE);
    } finally {
      clock.uninstall();
    }
  },
);

Deno.test(
  "serveBalancer() stops although a reload waits for a file that cannot be read",
  { permissions: PERMISSIONS, ignore: Deno.build.os === "windows" },
  () => {
    let isReading = false;
    const read = () => {
      isReading = true;
      return new Promise<LoadedConfig>(() => {});
    };
    return serving(read, async () => {
      Deno.kill(Deno.pid, "SIGHUP");
      await eventually(() => isReading, "the file is read again");
    });
  },
);
