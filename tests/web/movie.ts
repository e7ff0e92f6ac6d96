/**
 * Records the movie of the playground at the top of README: docs/pictures/playground.gif. A backend hangs; round-robin
 * continues to send requests to it until probes detect this, least-connections stops at once. Then the backend is
 * repaired.
 *
 * The page is paused, and its time moves by one step for each picture. So the movie is the same on a slow machine.
 */
import { fileURLToPath } from "node:url";
import { installed } from "../support/tools.ts";
import { closeBrowser, hasNoBrowser, withPage } from "./browser.ts";
import { drop, hangs, passed, seek, served } from "./playground_pages.ts";

const FILE = fileURLToPath(new URL("../../docs/pictures/playground.gif", import.meta.url));
const WIDTH = 800;
/** The virtual time between two pictures. In the movie, it passes as fast as real time. */
const STEP_MS = 50;
const BEGIN_MS = 800;
const END_MS = 10_000;
/** GitHub shows larger movies, too, but they take long to load. */
const BYTES_MAX = 2_000_000;

if (hasNoBrowser) throw new Error("the movie needs Chromium: install the package chromium");
if (installed("ffmpeg") === undefined) {
  throw new Error("the movie needs ffmpeg: install the package ffmpeg");
}
const folder = await Deno.makeTempDir({ prefix: "lbsim-movie-" });
try {
  await served(async (url) => {
    await withPage(url, async (page) => {
      await passed(page, 1);
      await drop(page, { "movie.yaml": hangs({ at_s: [2.5], for_s: 4, duration_s: 10 }) });
      await page.getByRole("heading", { name: "A backend hangs" }).waitFor();
      await page.getByRole("button", { name: "Pause" }).click();
      await page.getByRole("button", { name: "Play" }).waitFor();
      await page.evaluate(`document.querySelector("[data-dots]").remove()`);
      for (let at = BEGIN_MS, i = 0; at <= END_MS; at += STEP_MS, i++) {
        await seek(page, at, 1);
        const canvas = (await page.locator(".scene canvas").boundingBox())!;
        const legend = (await page.locator(".scene-legend").boundingBox())!;
        await page.screenshot({
          path: `${folder}/${String(i).padStart(4, "0")}.png`,
          clip: {
            x: 0,
            y: canvas.y - 10,
            width: WIDTH,
            height: legend.y + legend.height - canvas.y + 20,
          },
        });
      }
      // With reduced motion, nothing moves between the steps, and each dot is at its true place.
    }, { width: WIDTH, theme: "light", reducedMotion: true });
  });
  const palette = "split[a][b];[a]palettegen=max_colors=64:stats_mode=full[p];[b][p]";
  const { success, stderr } = await new Deno.Command("ffmpeg", {
    args: [
      ...["-loglevel", "error", "-y", "-framerate", String(1000 / STEP_MS)],
      ...["-i", `${folder}/%04d.png`, "-loop", "0"],
      ...["-vf", `${palette}paletteuse=dither=none:diff_mode=rectangle`, FILE],
    ],
  }).output();
  if (!success) throw new Error(`ffmpeg: ${new TextDecoder().decode(stderr)}`);
} finally {
  await closeBrowser();
  await Deno.remove(folder, { recursive: true });
}
const { size } = await Deno.stat(FILE);
if (size > BYTES_MAX) {
  throw new Error(`the movie has ${size} bytes: at most ${BYTES_MAX} are wanted`);
}
console.log(`${FILE}: ${size} bytes`);
