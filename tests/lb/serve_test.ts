import assert from "node:assert/strict";
import type { LoadedConfig } from "../../lib/config/mod.ts";
import { startLogging, stopLogging } from "../../lib/log.ts";
import { serveBalancer } from "../../lb/serve.ts";
import { configOf } from "../support/config.ts";
import { eventually } from "../support/sockets.ts";

/** What a balancer gives up, it gives up for its test only. */
const PERMISSIONS = {
  read: true,
  write: true,
  net: true,
  sys: true,
  env: true,
  run: true,
} as const;

/** Serves nobody while a test looks at its log. */
async function serving(
  read: () => Promise<LoadedConfig>,
  look: (records: () => Record<string, unknown>[]) => Promise<void>,
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
  const config = configOf([]);
  const loaded = { config: { ...config, healthCheck: { ...config.healthCheck, type: "none" } } };
  const serving = serveBalancer({ ...loaded, certificates: {} } as LoadedConfig, io, {
    reload: { file: "config.yaml", read },
  });
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
  "serveBalancer() survives a reload that fails for a reason that is not the user's",
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
  "serveBalancer() serves all the same if it cannot watch its files, and says so",
  { permissions: PERMISSIONS },
  async () => {
    const { watchFs } = Deno;
    Deno.watchFs = () => {
      throw new Error("Too many open files");
    };
    try {
      await serving(read, (records) => {
        const failure = records().find(({ event }) => event === "watch_failed")!;
        assert.deepEqual([failure.level, failure.reason], ["warning", "Too many open files"]);
        return Promise.resolve();
      });
    } finally {
      Deno.watchFs = watchFs;
    }
  },
);
