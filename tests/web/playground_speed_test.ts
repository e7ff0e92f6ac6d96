/**
 * How soon the page of the playground is visible, and how many pictures per second it draws. The page itself measures
 * these numbers. They are only printed, because they depend on the machine and on its other work.
 */
import assert from "node:assert/strict";
import { browserTest, closeBrowser, withPage } from "./browser.ts";
import { drop, passed, problems, served, until } from "./playground_pages.ts";

Deno.test.afterAll(closeBrowser);

/** The factor by which the page's thread is slowed down. */
const SLOWDOWN = 4;

interface Start {
  readonly interactive_ms: number;
  readonly complete_ms: number;
  readonly answered_ms: number;
  /** The scripts that were requested before the page was interactive. */
  readonly scripts: readonly string[];
}

/**
 * A script for the page: waits for the page's marks, clicks on Pause as soon as the page is interactive, and waits for
 * the answer.
 */
const START = `new Promise((resolve) => {
  const duration = (name) => performance.getEntriesByName(name)[0]?.duration;
  let clicked;
  let answered;
  const look = () => {
    const button = document.querySelector(".play");
    if (duration("interactive") !== undefined && clicked === undefined) {
      clicked = performance.now();
      button.click();
    }
    if (clicked !== undefined && button.ariaLabel === "Play") answered ??= performance.now();
    if (answered === undefined || duration("complete") === undefined) {
      return requestAnimationFrame(look);
    }
    const interactive_ms = duration("interactive");
    resolve({
      interactive_ms,
      complete_ms: duration("complete"),
      answered_ms: answered - clicked,
      scripts: performance.getEntriesByType("resource")
        .filter(({ startTime }) => startTime < interactive_ms)
        .map(({ name }) => name.split("/").at(-1)).filter((name) => name.endsWith(".js")),
    });
  };
  look();
})`;

browserTest(
  "the run is on the screen and its buttons answer before the page loads its plots and forms",
  async () => {
    await served(async (url) => {
      await withPage("about:blank", async (page) => {
        const session = await page.context().newCDPSession(page);
        await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWDOWN });
        await page.goto(url, { waitUntil: "commit" });
        const start = await page.evaluate(START) as Start;
        const ms = (value: number) => `${value.toFixed(0)} ms`;
        console.log(
          `with a ${SLOWDOWN} times slower page: interactive after ${ms(start.interactive_ms)}, ` +
            `complete after ${ms(start.complete_ms)}; a click is answered after ${
              ms(start.answered_ms)
            }`,
        );
        assert.ok(start.scripts.includes("main.js"), `${start.scripts}`);
        assert.deepEqual(start.scripts.filter((name) => name.startsWith("panels-")), []);
      });
    });
  },
);

/** A scenario with about this many requests in progress at a time, most of them on the network. */
function crowded(backends: number, requests: number): string {
  const perS = Math.round(requests / 0.75); // A request takes 750 ms.
  return `duration: 10m
balancer: {backends: ${backends}, algorithm: power-of-two}
workload: {arrivals: {poisson: {rate: ${perS}/s}}}
service: {exponential: {mean: 50ms}}
servers: {default: {slots: ${Math.ceil(2 * perS * 0.05 / backends)}}}
network: {latency: 50ms}
`;
}

for (const [backends, requests] of [[20, 500], [200, 500]] as const) {
  browserTest(
    `the page counts the pictures that it draws in a second, with ${backends} backends and ${requests} requests`,
    async () => {
      await served(async (url) => {
        await withPage(url, async (page) => {
          await passed(page, 1);
          await drop(page, { "crowded.yaml": crowded(backends, requests) });
          await page.locator(`tr[data-backend="B${backends}"]`).waitFor();
          await page.locator(".transport select").selectOption("0.1");
          await passed(page, 1000);
          const counter = "document.querySelector('[data-dots]').dataset";
          const counts: { readonly picturesPerS: string; readonly dots: string }[] = [];
          for (let i = 0; i < 3; i++) {
            const before = await page.evaluate(`({ ...${counter} })`) as typeof counts[number];
            await until(
              page,
              `${counter}.dots !== "${before.dots}" || ${counter}.picturesPerS !== "${before.picturesPerS}"`,
            );
            counts.push(await page.evaluate(`({ ...${counter} })`) as typeof counts[number]);
          }
          console.log(
            `${backends} backends: ${
              counts.map(({ picturesPerS, dots }) => `${picturesPerS} pictures/s of ${dots} dots`)
                .join(", ")
            }`,
          );
          assert.deepEqual(await problems(page), []);
          for (const { picturesPerS, dots } of counts) {
            assert.ok(Number(picturesPerS) > 0, picturesPerS);
            // The number of requests in progress varies, and some dots are on their way back to a
            // client.
            assert.ok(Number(dots) > 0.6 * requests, dots);
          }
        });
      });
    },
  );
}
