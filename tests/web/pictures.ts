/**
 * Takes the pictures of the dashboard that the documents show: wide, with the form that hurts a backend, and narrow;
 * light and dark.
 */
import { fileURLToPath } from "node:url";
import { closeBrowser, withPage } from "./browser.ts";
import { serveFixture } from "./fixture_server.ts";

const FOLDER = new URL("../../docs/pictures/", import.meta.url);
/** A picture ends where this section of the page ends; on a phone, with the traffic. */
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
      await page.waitForTimeout(3000); // Until connections flow everywhere.
      await page.evaluate("scrollTo(0, 0)"); // The form has the focus, and the page has moved to it.
      const last = await page.getByRole("region", { name: LAST[width]!, exact: true })
        .boundingBox();
      const path = fileURLToPath(new URL(`dashboard-${width}-${theme}.png`, FOLDER));
      const clip = { x: 0, y: 0, width, height: last!.y + last!.height + 12 };
      await page.screenshot({ path, fullPage: true, clip });
      // A picture of few colours takes a third of the space.
      await new Deno.Command("pngquant", { args: ["--force", "--output", path, "64", path] })
        .output();
    }, { width, theme });
  }
}
await closeBrowser();
await fixture.stop();
