/** The page under load: a real balancer and its admin API, whose scheduler gets connections without sockets. */
import assert from "node:assert/strict";
import type { CDPSession } from "playwright-core";
import { monotonicNow } from "../../lib/io/mod.ts";
import { adminLab } from "../support/admin.ts";
import { eventually } from "../support/sockets.ts";
import { browserTest, closeBrowser, withPage } from "./browser.ts";

Deno.test.afterAll(closeBrowser);

const PER_S = 10_000;
const TICK_MS = 10;
/** After a pause of the machine, at most this many connections are made in one tick. */
const PER_TICK_MAX = 1000;
const TASK_MAX_MS = 200;

/**
 * Ten thousand connections a second that are opened and closed, as many that are refused, and a backend that is
 * ejected again and again, until the returned function is called.
 */
function begin({ balancer: { scheduler }, events }: Awaited<ReturnType<typeof adminLab>>) {
  let begun = monotonicNow();
  let ticks = 0;
  const timer = setInterval(() => {
    const now = monotonicNow();
    const due = Math.min(PER_TICK_MAX, Math.round((now - begun) * PER_S / 1e9));
    begun = now;
    for (let i = 0; i < due; i++) {
      const served = scheduler.accept(`10.0.0.${i % 250}`, now);
      served.assign(now);
      served.connected(now);
      served.answered(now);
      served.close("closed", now, { bytesToBackend: 100, bytesToClient: 1000 });
      scheduler.accept(`10.0.1.${i % 250}`, now).refuse("local_shortage", now);
    }
    if (++ticks % 10 > 0) return;
    const at_ms = now / 1e6;
    const active_servers = scheduler.activeServers;
    events.emit({
      ...{ type: "backend_ejected", at_ms, backend: "B1", failures: 3, active_servers },
      ejected_for_ms: 100,
    });
    events.emit({ type: "backend_readmitted", at_ms, backend: "B1", active_servers });
  }, TICK_MS);
  return () => clearInterval(timer);
}

/** The memory and the nodes of a page, after its garbage was collected. */
async function usageOf(session: CDPSession): Promise<{ heap: number; nodes: number }> {
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  const { nodes } = await session.send("Memory.getDOMCounters");
  return { heap: usedSize, nodes };
}

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds of CPU time. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** The CPU time of the longest task of the page's main thread while `act` runs, in milliseconds. */
async function longestTaskMs(session: CDPSession, act: () => Promise<void>): Promise<number> {
  const events: TraceEvent[] = [];
  session.on("Tracing.dataCollected", ({ value }) => void events.push(...value as never[]));
  const over = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: ["toplevel", "disabled-by-default-devtools.timeline"] },
  });
  await act();
  await session.send("Tracing.end");
  await over;
  const mains = events.filter(({ name, args }) =>
    name === "thread_name" && args?.name === "CrRendererMain"
  );
  const tasks = events.filter(({ name, pid, tid }) =>
    name.endsWith("RunTask") && mains.some((main) => main.pid === pid && main.tid === tid)
  );
  assert.ok(tasks.length > 100, `the trace has the tasks of the page: ${tasks.length}`);
  return Math.max(...tasks.map(({ tdur = 0 }) => tdur)) / 1000;
}

browserTest(
  "the page has no long tasks and no growing memory at 10,000 connections and 10,000 refusals a second",
  async () => {
    await using lab = await adminLab({
      backends: [9, 10, 11].map((port) => ({ host: "127.0.0.1", port })),
    });
    const end = begin(lab);
    try {
      await withPage(lab.url, async (page, complaints) => {
        await page.getByText("● live").waitFor();
        const session = await page.context().newCDPSession(page);
        const browser = await page.context().browser()!.newBrowserCDPSession();
        // Counts the frames that the balancer has sent. So the test does not depend on the speed of the machine.
        let frames = 0;
        const frame = lab.monitor.frame.bind(lab.monitor);
        lab.monitor.frame = () => (frames++, frame());
        const pass = async (count: number) => {
          const until = frames + count;
          await eventually(() => frames >= until, `${count} frames were sent`);
        };
        await pass(30);
        const before = await usageOf(session);
        const longest = await longestTaskMs(browser, () => pass(60));
        const after = await usageOf(session);
        assert.ok(longest < TASK_MAX_MS, `the longest task takes ${longest} ms of CPU time`);
        assert.ok(after.heap < before.heap + 8e6, `${before.heap} → ${after.heap} bytes`);
        assert.ok(after.nodes < before.nodes + 500, `${before.nodes} → ${after.nodes} nodes`);
        assert.ok(await page.locator('[role="log"] li').count() <= 200, "the log is bounded");
        assert.ok(await page.locator('[role="log"] li').count() > 100, "the log has events");
        assert.deepEqual(complaints.console, []);
      });
    } finally {
      end();
    }
  },
);
