/** The schedule of probes in the live balancer, in fake time. */
import assert from "node:assert/strict";
import FakeTimers from "@sinonjs/fake-timers";
import type { Config } from "../../../lib/config/mod.ts";
import { createRandom, NS_PER_MS, NS_PER_S } from "../../../lib/base/mod.ts";
import { Scheduler } from "../../../lib/core/mod.ts";
import type { ProbeResult } from "../../../lb/health/probe.ts";
import { Prober } from "../../../lb/health/prober.ts";
import { configOf } from "../../support/config.ts";
import { strictEventStream } from "../../support/events.ts";

const ADDRESSES = [1, 2].map((port) => ({ host: "127.0.0.1", port }));

function lab(
  probe: (backend: string, at: number) => Promise<ProbeResult>,
  rules: Partial<Config["healthCheck"]> = {},
) {
  const clock = FakeTimers.install({ now: 0 });
  const now = () => Math.round(clock.now * NS_PER_MS);
  const base = configOf(ADDRESSES);
  const config = { ...base, healthCheck: { ...base.healthCheck, jitter: 0, ...rules } };
  const scheduler = new Scheduler(config, strictEventStream(), createRandom(1));
  const begun: { readonly id: string; readonly atS: number }[] = [];
  const prober = new Prober(config, scheduler, {
    now,
    seed: 3,
    probe: ({ id }) => {
      begun.push({ id, atS: clock.now / 1000 });
      return probe(id, clock.now / 1000);
    },
  });
  return { clock, scheduler, prober, begun };
}

const good = () => Promise.resolve<ProbeResult>({ ok: true });

Deno.test("Prober.start() probes all backends at once, and then each backend at its own intervals", async () => {
  const { clock, prober, begun, scheduler } = lab(good);
  try {
    await prober.start();
    assert.deepEqual(begun.map(({ atS }) => atS), [0, 0]);
    assert.deepEqual(scheduler.activeServers, ["B1", "B2"]);
    await clock.tickAsync(60_000);
    for (const id of ["B1", "B2"]) {
      const at = begun.filter((probe) => probe.id === id).map(({ atS }) => atS);
      assert.ok(at[1]! > 0 && at[1]! <= 2.001, "the second at a random part of the interval");
      for (let i = 2; i < at.length; i++) {
        assert.ok(Math.abs(at[i]! - at[i - 1]! - 2) <= 0.002, `${at[i]! - at[i - 1]!} s`);
      }
      assert.ok(Math.abs(at.length - 31) <= 1);
    }
    await prober.stop();
    assert.equal(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
});

Deno.test("Prober never runs two probes of one backend at the same time", async () => {
  let underWay = 0;
  let most = 0;
  const slow = async (id: string): Promise<ProbeResult> => {
    if (id !== "B1") return { ok: true };
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setTimeout(resolve, 5000)); // Longer than the interval.
    underWay--;
    return { ok: true };
  };
  const { clock, prober, begun } = lab(slow);
  try {
    void prober.start();
    await clock.tickAsync(61_000);
    assert.equal(most, 1);
    const probes = begun.filter(({ id }) => id === "B1").length;
    assert.ok(probes >= 11 && probes <= 13, `one after the other: ${probes}`);
    const stopped = prober.stop();
    await clock.tickAsync(6000);
    await stopped;
  } finally {
    clock.uninstall();
  }
});

Deno.test("Prober: a backend is down after `fall` failed probes, and up after `rise` successful ones", async () => {
  const crashed = (id: string, atS: number) =>
    Promise.resolve<ProbeResult>(
      id === "B2" && atS >= 10 && atS < 30
        ? { ok: false, reason: "connect: refused" }
        : { ok: true },
    );
  const { clock, prober, scheduler } = lab(crashed);
  try {
    await prober.start();
    await clock.tickAsync(10_000 + 4000 - 10); // The earliest time: (fall − 1) · interval.
    assert.deepEqual(scheduler.activeServers, ["B1", "B2"]);
    await clock.tickAsync(2000 + 20); // The latest time: fall · interval.
    assert.deepEqual(scheduler.activeServers, ["B1"]);
    await clock.tickAsync(30_000 - clock.now + 4000 + 10);
    assert.deepEqual(scheduler.activeServers, ["B1", "B2"]);
    await prober.stop();
  } finally {
    clock.uninstall();
  }
});

Deno.test("Prober does not probe a backend in maintenance", async () => {
  const { clock, prober, scheduler, begun } = lab(good);
  try {
    await prober.start();
    scheduler.setMode("B1", "maintenance", 0);
    const before = begun.filter(({ id }) => id === "B1").length;
    await clock.tickAsync(30_000);
    assert.equal(begun.filter(({ id }) => id === "B1").length, before);
    scheduler.setMode("B1", "ready", 0);
    await clock.tickAsync(5000);
    assert.ok(begun.filter(({ id }) => id === "B1").length > before);
    await prober.stop();
  } finally {
    clock.uninstall();
  }
});

const SHORT: ProbeResult = { ok: undefined, shortage: "local_ports", detail: "none is left" };

Deno.test("Prober: a probe that fails because of a shortage of this machine does not count", async () => {
  const { clock, prober, scheduler } = lab((_id, atS) =>
    Promise.resolve<ProbeResult>(atS < 10 ? { ok: true } : SHORT)
  );
  try {
    await prober.start();
    await clock.tickAsync(60_000);
    assert.deepEqual(scheduler.activeServers, ["B1", "B2"]);
    await prober.stop();
  } finally {
    clock.uninstall();
  }
});

Deno.test("Prober with jitter changes intervals by no more than the jitter", async () => {
  const { clock, prober, begun } = lab(good, { jitter: 0.1, interval: 2 * NS_PER_S });
  try {
    await prober.start();
    await clock.tickAsync(400_000);
    const at = begun.filter(({ id }) => id === "B1").map(({ atS }) => atS).slice(1);
    const gaps = at.slice(1).map((time, i) => time - at[i]!);
    assert.ok(gaps.every((gap) => gap >= 1.798 && gap <= 2.202), `${gaps}`);
    assert.ok(Math.max(...gaps) - Math.min(...gaps) > 0.2, "and makes use of it");
    await prober.stop();
  } finally {
    clock.uninstall();
  }
});
