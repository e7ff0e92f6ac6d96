/** The parts of a page, bundled for a browser. The same sources give the same texts. */
import { fileURLToPath } from "node:url";

const HERE = new URL("./", import.meta.url);

/** A file of the folder web/, as it is. */
export async function readSource(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(path, HERE));
}

/**
 * A module of the folder web/ and all that it imports, as one script.
 *
 * @throws {Error} if it cannot be bundled.
 */
export async function bundled(path: string): Promise<string> {
  const entry = fileURLToPath(new URL(path, HERE));
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--no-check", "--platform", "browser", "--minify", entry],
    cwd: fileURLToPath(new URL("../", HERE)),
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${path} cannot be bundled: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** The style sheet of the chart library. */
export async function chartStyle(): Promise<string> {
  const style = import.meta.resolve("uplot/dist/uPlot.min.css");
  return `${(await Deno.readTextFile(new URL(style))).trim()}\n`;
}
