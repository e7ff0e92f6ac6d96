/** The parts of a page, bundled for a browser. The same sources give the same texts. */
import { fileURLToPath } from "node:url";

const HERE = new URL("./", import.meta.url);
const ROOT = new URL("../", HERE);

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
  return await bundle([path], []);
}

/**
 * Modules of the folder web/ and all that they import, as several scripts by their names. A module's own script has its
 * name with the ending `.js`. What several of them import, or what one imports later by `await import()`, is apart.
 *
 * @throws {Error} if they cannot be bundled.
 */
export async function bundledInParts(
  paths: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const dist = new URL("dist/", ROOT);
  await Deno.mkdir(dist, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: fileURLToPath(dist) });
  try {
    await bundle(paths, ["--code-splitting", "--outdir", folder]);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    return new Map(
      await Promise.all(names.map(async (name) =>
        [name, await Deno.readTextFile(`${folder}/${name}`)] as const
      )),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function bundle(paths: readonly string[], options: readonly string[]): Promise<string> {
  const entries = paths.map((path) => fileURLToPath(new URL(path, HERE)));
  const flags = ["--quiet", "--no-check", "--platform", "browser", "--minify", ...options];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", ...flags, ...entries],
    cwd: fileURLToPath(ROOT),
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${paths.join(", ")} cannot be bundled: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** The style sheet of the chart library. */
export async function chartStyle(): Promise<string> {
  const style = import.meta.resolve("uplot/dist/uPlot.min.css");
  return `${(await Deno.readTextFile(new URL(style))).trim()}\n`;
}
