/** Builds one executable per platform into dist/, with checksums, and tries the one for this machine. */
import { runFlags } from "./flags.ts";
import { smoke } from "./smoke.ts";

/** The executables: Deno's name of each platform, and the name of its file. */
export const TARGETS: Readonly<Record<string, string>> = {
  "x86_64-unknown-linux-gnu": "lbsim-linux-x64",
  "aarch64-unknown-linux-gnu": "lbsim-linux-arm64",
  "x86_64-apple-darwin": "lbsim-macos-x64",
  "aarch64-apple-darwin": "lbsim-macos-arm64",
  "x86_64-pc-windows-msvc": "lbsim-windows-x64.exe",
};

/** The arguments that make `deno compile` build one executable. */
export function compileArgs(target: string, output: string): string[] {
  return [
    "compile",
    // The program alone is embedded, not the packages that it was bundled from. Not minified: Deno's bundler must
    // replace `require`, and does not find it under a name that the minifier has made.
    "--bundle",
    "--no-check",
    ...["--target", target],
    ...["--output", output],
    ...runFlags(),
    "main.ts",
  ];
}

/** The lines of a SHA256SUMS file, as `sha256sum --check` reads them. */
export async function checksums(directory: string, files: readonly string[]): Promise<string> {
  const lines = await Promise.all(files.map(async (file) => {
    const digest = await crypto.subtle.digest(
      "SHA-256",
      await Deno.readFile(`${directory}/${file}`),
    );
    return `${new Uint8Array(digest).toHex()}  ${file}\n`;
  }));
  return lines.join("");
}

async function compile(target: string, output: string): Promise<string | undefined> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: compileArgs(target, output),
    stdout: "null",
    stderr: "piped",
  }).output();
  return success ? undefined : new TextDecoder().decode(stderr);
}

async function main(): Promise<number> {
  const directory = "dist";
  const only = Deno.args[0] === "--target" ? Deno.args[1] : undefined;
  if (only !== undefined && !(only in TARGETS)) {
    console.error(`there is no target ${only}; there is: ${Object.keys(TARGETS).join(", ")}`);
    return 2;
  }
  // A local runtime is only for the platform of this machine.
  const wanted = only ?? (Deno.env.has("DENORT_BIN") ? Deno.build.target : undefined);
  const targets = Object.entries(TARGETS).filter(([target]) =>
    wanted === undefined || target === wanted
  );
  await Deno.mkdir(directory, { recursive: true });
  const built: string[] = [];
  for (const [target, file] of targets) {
    const failure = await compile(target, `${directory}/${file}`);
    if (failure !== undefined) {
      console.error(explain(target, failure));
      return 1;
    }
    console.log(`built ${directory}/${file}`);
    built.push(file);
  }
  await Deno.writeTextFile(`${directory}/SHA256SUMS`, await checksums(directory, built));
  const own = TARGETS[Deno.build.target];
  if (own !== undefined && built.includes(own)) {
    await smoke([`${Deno.cwd()}/${directory}/${own}`]);
    console.log(`${own} runs`);
  }
  return 0;
}

/**
 * The text of a failure. For a failed download, it is one line with the possible remedies; any other failure stays
 * unchanged.
 */
export function explain(target: string, failure: string): string {
  return /error sending request|dns error|failed to lookup|Download|denort/i.test(failure)
    ? `cannot download Deno's runtime for ${target}: set DENORT_BIN to a local copy of denort, ` +
      "or run `deno task compile:portable`"
    : failure;
}

if (import.meta.main) Deno.exitCode = await main();
