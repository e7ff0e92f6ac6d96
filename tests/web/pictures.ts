/** Takes the pictures of the dashboard that the documents show: wide and narrow, light and dark. */
import { closeBrowser, withPage } from "./browser.ts";
import { serveFixture } from "./fixture_server.ts";

const FOLDER = new URL("../../docs/pictures/", import.meta.url);
/** The upper part of the page, to the end of the charts; on a phone, to the first backend. */
const HEIGHTS: Readonly<Record<number, number>> = { 1280: 1180, 390: 1000 };

await Deno.mkdir(FOLDER, { recursive: true });
const fixture = serveFixture();
for (const width of [1280, 390]) {
  for (const theme of ["light", "dark"] as const) {
    await withPage(fixture.url, async (page) => {
      await page.getByText("● live").waitFor();
      await page.locator('[data-backend="B3"]').waitFor();
      await page.waitForTimeout(3000); // Until connections flow everywhere.
      await Deno.writeFile(
        new URL(`dashboard-${width}-${theme}.png`, FOLDER),
        await page.screenshot({
          fullPage: true,
          clip: { x: 0, y: 0, width, height: HEIGHTS[width]! },
        }),
      );
    }, { width, theme });
  }
}
await closeBrowser();
await fixture.stop();
