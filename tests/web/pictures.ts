/**
 * Takes the pictures of the dashboard and of the playground that the documents show: wide and narrow, light and dark.
 * The wide pictures of the dashboard show the form for a fault of a backend.
 */
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { closeBrowser, withPage } from "./browser.ts";
import { serveFixture } from "./fixture_server.ts";
import { drop, hangs, passed, seek, served } from "./playground_pages.ts";

const FOLDER = new URL("../../docs/pictures/", import.meta.url);
/** A picture ends where this section of the page ends. The section depends on the width. */
const LAST: Readonly<Record<number, string>> = { 1280: "Last minutes", 390: "Traffic" };

await Deno.mkdir(FOLDER, { recursive: true });
const fixture = serveFixture();
for (const width of [1280, 390]) {
  for (const theme of ["light", "dark"] as const) {
    await withPage(fixture.url, async (page) => {
      await page.getByText("● live").waitFor();
      await page.locator('[data-backend="B3"]').waitFor();
      if (width === 1280) {
        await page.getByLabel("Token").fill("token");
        await page.getByRole("button", { name: "Hurt B1" }).click();
        await page.getByRole("form", { name: "Hurt B1" }).waitFor();
      }
      await page.waitForTimeout(3000); // Until dots are on all lines.
      await take(page, `dashboard-${width}-${theme}.png`, width, LAST[width]!);
    }, { width, theme });
  }
}
await fixture.stop();
await served(async (url) => {
  for (const width of [1280, 390]) {
    for (const theme of ["light", "dark"] as const) {
      await withPage(url, async (page) => {
        await passed(page, 1);
        await drop(page, { "hangs.yaml": hangs({ at_s: [10, 50], for_s: 20, duration_s: 80 }) });
        await page.getByRole("heading", { name: "A backend hangs" }).waitFor();
        await page.getByRole("button", { name: "Pause" }).click();
        await seek(page, 51_400); // The backend hangs, and the balancer does not know it yet.
        await page.waitForTimeout(2000); // Until the dots are at their places, and the plots are drawn.
        await take(page, `playground-${width}-${theme}.png`, width, "Measured so far");
      }, { width, theme });
    }
  }
});
await closeBrowser();

/** Takes a picture from the top of the page to the end of this section. */
async function take(page: Page, name: string, width: number, last: string): Promise<void> {
  await page.evaluate("scrollTo(0, 0)"); // A form may have the focus, and the page has moved to it.
  const box = await page.getByRole("region", { name: last, exact: true }).boundingBox();
  const path = fileURLToPath(new URL(name, FOLDER));
  const clip = { x: 0, y: 0, width, height: box!.y + box!.height + 12 };
  await page.screenshot({ path, fullPage: true, clip });
  // With fewer colours, a picture has a third of the size.
  await new Deno.Command("pngquant", { args: ["--force", "--output", path, "64", path] }).output();
}
