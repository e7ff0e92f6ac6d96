/** The page in a browser, with a stand-in for the balancer: its appearance, keyboard, screen readers and address. */
import assert from "node:assert/strict";
import {
  axeFindings,
  browserTest,
  closeBrowser,
  type Look,
  PATIENCE_MS,
  withPage,
} from "./browser.ts";
import { serveFixture } from "./fixture_server.ts";

Deno.test.afterAll(closeBrowser);

function test(name: string, fn: (url: string) => Promise<void>): void {
  browserTest(name, async () => {
    const fixture = serveFixture();
    try {
      await fn(fixture.url);
    } finally {
      await fixture.stop();
    }
  });
}

const LOOKS: readonly Look[] = [
  { width: 1280, theme: "light" },
  { width: 1280, theme: "dark" },
  { width: 390, theme: "light" },
  { width: 390, theme: "dark", reducedMotion: true },
];

for (const look of LOOKS) {
  const title = `at ${look.width} px, ${look.theme}`;
  test(`the page ${title} has no error, no foreign request, and axe finds nothing`, async (url) => {
    await withPage(url, async (page, complaints) => {
      await page.getByText("● live").waitFor();
      await page.locator("li", { hasText: "B2 is down" }).waitFor();
      for (const summary of await page.locator("summary").all()) await summary.click();
      await page.getByRole("button", { name: "Hurt B1" }).click();
      assert.deepEqual(await axeFindings(page), []);
      await page.getByRole("button", { name: "Table" }).click();
      await page.locator('tr[data-backend="B3"]').waitFor();
      assert.deepEqual(await axeFindings(page), []);
      assert.equal(await page.evaluate("document.documentElement.scrollWidth"), look.width);
      assert.deepEqual(complaints, { console: [], foreign: [] });
    }, look);
  });
}

test("the page also shows its pictures as tables", async (url) => {
  await withPage(url, async (page) => {
    for (const summary of await page.locator("summary").all()) await summary.click();
    const traffic = page.getByRole("region", { name: "Traffic as a table" });
    assert.match(await traffic.innerText(), /B1\s+up\s+\d+\s+\d+/);
    const minutes = page.getByRole("region", { name: "Last minutes as a table" });
    await minutes.getByText("B2 is down").waitFor();
    assert.match(await minutes.innerText(), /\d+ in flight, \d+\/s, \d+ ms/);
  });
});

test("the address of the page contains the user's choices", async (url) => {
  const query = "theme=dark&backends=table&window=60&search=B2";
  await withPage(`${url}/?${query}`, async (page) => {
    await page.locator('tr[data-backend="B1"]').waitFor();
    await page.locator('html[data-theme="dark"]').waitFor();
    await page.locator("li", { hasText: "B2 is down" }).waitFor();
    assert.equal(await page.locator("li", { hasText: "B3 is set" }).count(), 0);
    await page.getByRole("button", { name: "15 min" }).click();
    await page.getByLabel("Contains").fill("B3");
    await page.locator("li", { hasText: "B3 is set" }).waitFor();
    await page.waitForURL(`${url}/?theme=dark&backends=table&window=900&search=B3`);
  });
});

test("every button can be reached with the keyboard", async (url) => {
  await withPage(url, async (page) => {
    await page.getByText("● live").waitFor();
    await page.locator('[data-backend="B3"]').waitFor();
    const reached = new Set<string>();
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      reached.add(
        await page.evaluate(
          "document.activeElement.ariaLabel ?? document.activeElement.textContent",
        ),
      );
    }
    for (const name of ["Skip to the backends", "Drain B1", "Set the weight of B2", "Hurt B3"]) {
      assert.ok(reached.has(name), `${name} in ${[...reached].join(", ")}`);
    }
  });
});

test("a change without the token shows a message, and moves the focus to the field for the token", async (url) => {
  await withPage(url, async (page) => {
    await page.getByRole("button", { name: "Drain B1" }).click();
    await page.getByText("enter the token first").waitFor();
    await page.locator("input[type=password]:focus").waitFor();
  });
});

test("a click on Explain shows why a client gets its backend", async (url) => {
  await withPage(url, async (page) => {
    await page.locator("input[type=password]").fill("token");
    await page.getByRole("button", { name: "Choose 192.0.2.104" }).click();
    await page.getByRole("button", { name: "Explain" }).click();
    await page.getByText("fewest connections in flight").waitFor();
    await page.locator("tr.picked", { hasText: "→ B1" }).waitFor();
  });
});

test("the form of a fault sends it in the notation of scenarios", async (url) => {
  await withPage(url, async (page) => {
    await page.getByLabel("Token").fill("token");
    await page.getByRole("button", { name: "Hurt B1" }).click();
    const form = page.getByRole("form", { name: "Hurt B1" });
    await form.getByLabel("Fault").selectOption("slow: takes 5 times as long");
    const request = page.waitForRequest("**/api/backends/B1/fault");
    await form.getByRole("button", { name: "Hurt B1" }).click();
    assert.deepEqual((await request).postDataJSON(), { kind: { slow: 5 }, for: "30s" });
    await page.locator(".notice", { hasText: "B1 slow for 30 s: done" }).waitFor();
  });
});

test("connections flow in the picture", async (url) => {
  const picture = '(() => document.querySelector("canvas").toDataURL())()';
  await withPage(url, async (page) => {
    await page.getByText("● live").waitFor();
    const first = await page.evaluate(picture);
    await page.waitForFunction(`${picture} !== ${JSON.stringify(first)}`, null, {
      timeout: PATIENCE_MS,
    });
  });
});
