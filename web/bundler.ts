/** The parts of a page, bundled for a browser. The same sources give the same texts. */
import { fileURLToPath } from "node:url";

const HERE = new URL("./", import.meta.url);
const ROOT = new URL("../", HERE);

/** A file of the folder web/, unchanged. */
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
 * Modules of the folder web/ and all that they import, as several scripts by their names. A module's own script has
 * its name with the ending `.js`. Modules that several of them import, or that one imports later by `await import()`,
 * are in scripts of their own.
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
    return await renamed(
      await Promise.all(
        names.map(async (name) => [name, await Deno.readTextFile(`${folder}/${name}`)] as const),
      ),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The digest that the bundler appends to a name. It depends on the path of this folder. */
const DIGEST = /-[A-Z0-9]{8}(?=\.js\b)/g;

/** The parts with digests in their names that depend on nothing but the texts. */
async function renamed(
  parts: readonly (readonly [name: string, text: string])[],
): Promise<ReadonlyMap<string, string>> {
  const texts = parts.map(([, text]) => text.replaceAll(DIGEST, "")).sort().join();
  const names = new Map(
    await Promise.all(
      parts.filter(([name]) => name.search(DIGEST) >= 0).map(
        async ([name, text]) => {
          const own = await digest(text.replaceAll(DIGEST, "") + texts);
          return [name, name.replace(DIGEST, `-${own}`)] as const;
        },
      ),
    ),
  );
  return new Map(
    parts.map(([name, text]) =>
      [
        names.get(name) ?? name,
        [...names].reduce((changed, [from, to]) => changed.replaceAll(from, to), text),
      ] as const
    ).sort(([a], [b]) => a < b ? -1 : 1),
  );
}

async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(bytes).toHex().slice(0, 8);
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
