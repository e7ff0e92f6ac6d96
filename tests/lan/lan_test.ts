/**
 * The normal use of lbsim on a LAN: one machine per role, the shipped config.yaml unchanged, `lbsim up` on every
 * machine. The machines are network namespaces.
 */
import assert from "node:assert/strict";
import { loadConfig } from "../../lib/files/mod.ts";
import { NS_PER_MS } from "../../lib/base/mod.ts";
import type { Exchange } from "../../client/session.ts";
import { lbsim, RunningLbsim } from "../support/process.ts";
import { Lan, whyNoLan } from "./network.ts";

const ROOT = `${import.meta.dirname}/../../`;
const CONFIG = `${ROOT}config.yaml`;
const BALANCER = "192.168.1.10:8000";

const HOSTS = [
  { name: "lb", address: "192.168.1.10" },
  { name: "B1", address: "192.168.1.11" },
  { name: "B2", address: "192.168.1.12" },
  { name: "B3", address: "192.168.1.13" },
  { name: "client", address: "192.168.1.50" },
  { name: "client2", address: "192.168.1.51" },
];

const reason = await whyNoLan();
if (reason !== undefined) console.log(`skipped: the LAN test: ${reason}`);

/**
 * The time that a busy machine may add to a bound: by the start of processes, by timers, and until
 * a log line arrives here.
 */
const SLACK_MS = 1500;

/** The log records after the first `since` ones. */
function recordsSince(process: RunningLbsim, since: number): Record<string, unknown>[] {
  return process.records.slice(since);
}

async function record(
  process: RunningLbsim,
  since: number,
  event: string,
  backend: string,
): Promise<Record<string, unknown>> {
  const fits = (one: Record<string, unknown>) => one.event === event && one.backend === backend;
  await process.line(
    (line) =>
      line.startsWith("{") && fits(JSON.parse(line)) &&
      recordsSince(process, since).some(fits),
    30_000,
  );
  return recordsSince(process, since).find(fits)!;
}

Deno.test({
  name: "a LAN with `lbsim up` on one machine per role serves, fails over and fails back",
  ignore: reason !== undefined,
  async fn(t) {
    const config = await loadConfig(CONFIG);
    const { interval, timeout, fall, rise, jitter } = config.healthCheck;
    const bound = (probes: number, extra = 0) =>
      (probes * interval * (1 + jitter) + extra) / NS_PER_MS + SLACK_MS;
    await using lan = await Lan.create(HOSTS);
    const up = (host: string) =>
      new RunningLbsim(["up", "--config", CONFIG], { prefix: lan.on(host) });
    const ask = async (args: string[], host = "client") => {
      const outcome = await lbsim(["client", BALANCER, ...args, "--json"], {
        prefix: lan.on(host),
      });
      const exchanges = outcome.stdout.trim().split("\n").filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as Exchange);
      return { ...outcome, exchanges };
    };
    const answers = (exchanges: readonly Exchange[]) => exchanges.map(({ backend }) => backend);

    await using b1 = up("B1");
    let b2 = up("B2");
    await using b3 = up("B3");
    await Promise.all([b1, b2, b3].map((b) => b.line((line) => line.includes("listening on"))));
    let lb = up("lb");
    try {
      await lb.line((line) => line.includes('"listening"'));

      await t.step("every host logs its roles", () => {
        assert.deepEqual(lb.records[0]!.roles, ["balancer"]);
        assert.deepEqual(b2.records[0]!.roles, ["B2"]);
      });

      await t.step(
        "on a host without a role, `lbsim up` fails and names the addresses that it compared",
        async () => {
          const { code, stderr } = await lbsim(["up", "--config", CONFIG], {
            prefix: lan.on("client"),
          });
          assert.equal(code, 1);
          assert.match(stderr, /192\.168\.1\.50/);
          assert.match(stderr, /192\.168\.1\.10:8000/);
        },
      );

      await t.step("answers come in turn", async () => {
        const { exchanges, code } = await ask(["hi", "--count", "6", "--new-connection"]);
        assert.equal(code, 0);
        assert.deepEqual(answers(exchanges), ["B1", "B2", "B3", "B1", "B2", "B3"]);
        assert.equal(exchanges[0]!.answer, "Hello from B1: hi");
      });

      await t.step(
        "a killed backend is detected in time, and every client gets its answers",
        async () => {
          const since = lb.records.length;
          const load = ask(["hi", "--count", "80", "--interval", "100ms", "--new-connection"]);
          const killedAt = Date.now();
          b2.kill("SIGKILL");
          await b2.ended();
          const down = await record(lb, since, "backend_down", "B2");
          const detection = Date.parse(String(down.time)) - killedAt;
          assert.ok(detection <= bound(fall), `detected after ${detection} ms`);
          assert.match(String(down.reason), /refused/);
          assert.deepEqual(down.active_servers, ["B1", "B3"]);
          const { exchanges, code } = await load;
          assert.equal(
            code,
            0,
            "a refused connect is retried at another backend, so no client notices",
          );
          assert.equal(exchanges.length, 80);
          const after = await ask(["hi", "--count", "4", "--new-connection"]);
          assert.ok(!answers(after.exchanges).includes("B2"));
        },
      );

      await t.step("a backend that has returned is used again", async () => {
        const since = lb.records.length;
        const returnedAt = Date.now();
        b2 = up("B2");
        const back = await record(lb, since, "backend_up", "B2");
        const failback = Date.parse(String(back.time)) - returnedAt;
        assert.ok(failback <= bound(rise) + 3000, `back after ${failback} ms, its start included`);
        const { exchanges } = await ask(["hi", "--count", "3", "--new-connection"]);
        assert.ok(answers(exchanges).includes("B2"));
      });

      await t.step(
        "a disconnected cable is detected in time, and no client gets an error",
        async () => {
          const since = lb.records.length;
          const load = ask([
            ...["hi", "--count", "40", "--interval", "200ms"],
            ...["--new-connection", "--timeout", "15s"],
          ]);
          const pulledAt = Date.now();
          await lan.cable("B3", false);
          const down = await record(lb, since, "backend_down", "B3");
          const detection = Date.parse(String(down.time)) - pulledAt;
          assert.ok(detection <= bound(fall, timeout), `detected after ${detection} ms`);
          const { code, exchanges } = await load;
          assert.equal(
            code,
            0,
            "a connect without an answer times out, and is retried at another backend",
          );
          assert.equal(exchanges.length, 40);
          const inSilence = exchanges.filter(({ ms }) => ms > 1000).length;
          assert.ok(
            inSilence > 0,
            "at least one connection must have failed over from the silent backend",
          );
        },
      );

      await t.step("a backend whose cable is plugged in again is used again", async () => {
        const since = lb.records.length;
        await lan.cable("B3", true);
        const pluggedAt = Date.now();
        const back = await record(lb, since, "backend_up", "B3");
        const failback = Date.parse(String(back.time)) - pluggedAt;
        // The kernel may first have to find the neighbour's address again: ARP retries once a
        // second.
        assert.ok(failback <= bound(rise) + 4000, `back after ${failback} ms`);
        const { exchanges, code } = await ask(["hi", "--count", "6", "--new-connection"]);
        assert.equal(code, 0);
        assert.deepEqual(new Set(answers(exchanges)), new Set(["B1", "B2", "B3"]));
      });

      await t.step(
        "a balancer that is restarted lets its connections end, and then serves again",
        async () => {
          lb.kill("SIGTERM");
          assert.equal(await lb.ended(), 0);
          assert.ok(lb.records.some(({ event }) => event === "stopped"));
          const { code, stderr } = await ask(["hi"]);
          assert.equal(code, 1);
          assert.match(stderr + "", /^$|no answer/);
          lb = up("lb");
          await lb.line((line) => line.includes('"listening"'));
          const again = await ask(["hi", "--count", "3", "--new-connection"]);
          assert.equal(again.code, 0);
          assert.deepEqual(answers(again.exchanges), ["B1", "B2", "B3"]);
        },
      );

      await t.step(
        "with stickiness, each client keeps its backend, and returns to it",
        async () => {
          lb.kill("SIGTERM");
          await lb.ended();
          const sticky = await Deno.makeTempFile({ suffix: ".yaml" });
          try {
            const text = await Deno.readTextFile(CONFIG);
            await Deno.writeTextFile(sticky, `${text}\nsticky: {on_failback: return}\n`);
            lb = new RunningLbsim(["up", "--config", sticky], { prefix: lan.on("lb") });
            await lb.line((line) => line.includes('"listening"'));
            const first = await ask(["hi", "--count", "4", "--new-connection"]);
            const second = await ask(["hi", "--count", "4", "--new-connection"], "client2");
            assert.deepEqual(answers(first.exchanges), ["B1", "B1", "B1", "B1"]);
            assert.deepEqual(answers(second.exchanges), ["B2", "B2", "B2", "B2"]);

            const since = lb.records.length;
            b2.kill("SIGKILL");
            await b2.ended();
            const moved = await ask(["hi", "--count", "3", "--new-connection"], "client2");
            assert.equal(moved.code, 0);
            assert.ok(!answers(moved.exchanges).includes("B2"));
            assert.equal(
              new Set(answers(moved.exchanges)).size,
              1,
              "the session moves once, and then stays",
            );
            await record(lb, since, "backend_down", "B2");
            b2 = up("B2");
            await record(lb, since, "backend_up", "B2");
            const home = await ask(["hi", "--count", "3", "--new-connection"], "client2");
            assert.deepEqual(answers(home.exchanges), ["B2", "B2", "B2"]);
          } finally {
            await Deno.remove(sticky);
          }
        },
      );

      lb.kill("SIGTERM");
      await lb.ended();
      const directory = await Deno.makeTempDir();
      const file = `${directory}/config.yaml`;
      const shipped = await Deno.readTextFile(CONFIG);
      /**
       * The shipped configuration with other settings of these backends, and with `more` at its
       * end.
       */
      const edited = (backends: Record<string, string>, more: string) =>
        Object.entries(backends).reduce((text, [id, settings]) => {
          const line = new RegExp(`(\\{id: ${id}, address: [^,]+), [^}]*\\}`);
          assert.match(text, line);
          return text.replace(line, `$1, ${settings}}`);
        }, shipped) + more;
      const reload = async (text: string, event = "config_reloaded") => {
        const since = lb.records.length;
        await Deno.writeTextFile(file, text);
        const fits = (one: Record<string, unknown>) => one.event === event;
        await lb.line(() => recordsSince(lb, since).some(fits), 30_000);
        return recordsSince(lb, since).find(fits)!;
      };
      const sticky = "\nsticky: {on_failback: return}\n";
      try {
        await Deno.writeTextFile(file, edited({}, sticky));
        const recording = `${directory}/run.jsonl`;
        lb = new RunningLbsim(["up", "--config", file, "--record", recording], {
          prefix: lan.on("lb"),
        });
        await lb.line((line) => line.includes('"listening"'));

        await t.step(
          "a drained backend finishes its connections, and gets no new clients",
          async () => {
            const [one, two] = [await ask(["hi"]), await ask(["hi"], "client2")];
            assert.deepEqual(answers([...one.exchanges, ...two.exchanges]), ["B1", "B2"]);
            // The log record of the connection of `two` may come later than the answer.
            await record(lb, 0, "connection_opened", "B2");
            const since = lb.records.length;
            const open = ask(["hi", "--count", "40", "--interval", "100ms"], "client2");
            await record(lb, since, "connection_opened", "B2");
            const { changes } = await reload(edited({ B2: "mode: drain" }, sticky));
            assert.deepEqual(changes, ["B2.mode: ready → drain"]);
            const moved = await ask(["hi", "--count", "3", "--new-connection"], "client2");
            assert.equal(moved.code, 0);
            assert.ok(
              !answers(moved.exchanges).includes("B2"),
              "a sticky client also moves to another backend",
            );
            const { code, exchanges } = await open;
            assert.equal(code, 0, "the open connection stays open");
            assert.deepEqual(new Set(answers(exchanges)), new Set(["B2"]));
          },
        );

        await t.step("an invalid file is rejected and reported, and changes nothing", async () => {
          const { reason } = await reload(edited({ B2: "weigth: 1" }, ""), "reload_failed");
          assert.match(String(reason), /unknown key "weigth".*did you mean "weight"/s);
          assert.equal((await ask(["hi"])).code, 0);
        });

        await t.step(
          "the backup serves while no primary can; then the primaries serve again",
          async () => {
            await reload(edited({ B1: "backup: true", B3: "weight: 2" }, ""));
            const primaries = await ask(["hi", "--count", "4", "--new-connection"]);
            assert.deepEqual(new Set(answers(primaries.exchanges)), new Set(["B2", "B3"]));
            await reload(edited({ B1: "backup: true", B3: "mode: maintenance" }, ""));
            const since = lb.records.length;
            b2.kill("SIGKILL");
            await b2.ended();
            await record(lb, since, "backend_down", "B2");
            const backup = await ask(["hi", "--count", "3", "--new-connection"]);
            assert.deepEqual(answers(backup.exchanges), ["B1", "B1", "B1"]);
            b2 = up("B2");
            await record(lb, since, "backend_up", "B2");
            const back = await ask(["hi", "--count", "3", "--new-connection"]);
            assert.deepEqual(answers(back.exchanges), ["B2", "B2", "B2"]);
          },
        );

        await t.step(
          "a reload changes the algorithm under load, and every client gets its answers",
          async () => {
            const load = ask(["hi", "--count", "60", "--interval", "50ms", "--new-connection"]);
            const other = shipped.replace("algorithm: round-robin", "algorithm: first-available");
            const { changes } = await reload(other);
            assert.match(String(changes), /algorithm.*first-available/);
            const { code, exchanges } = await load;
            assert.equal(code, 0);
            assert.equal(exchanges.length, 60);
            assert.equal(answers(exchanges).at(-1), "B1");
          },
        );

        await t.step("`sim --replay` makes the recorded decisions again", async () => {
          lb.kill("SIGTERM");
          await lb.ended();
          const { code, stdout, stderr } = await lbsim(["sim", "--replay", recording, "--json"]);
          assert.equal(code, 0, stdout + stderr);
          const { same, picks } = JSON.parse(stdout);
          assert.equal(same, true);
          assert.ok(picks > 70, `${picks} picks`);
        });
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    } finally {
      for (const process of [lb, b2]) await process[Symbol.asyncDispose]();
    }
  },
});
