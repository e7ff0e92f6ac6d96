/**
 * Builds one self-extracting executable for this machine's platform (Linux or macOS) without Deno's
 * compile runtime: a shell head, then Deno and the bundled program as a compressed archive. The first
 * start unpacks it into the user's cache; later ones find it there.
 */
import { runFlags } from "./flags.ts";
import { smoke } from "./smoke.ts";

/**
 * The head of the file. It unpacks beside the final place and renames, so that two first starts at once
 * cannot see each other's half; and it ends in `exec`, so that signals and the exit code are lbsim's own.
 */
function head(digest: string, flags: readonly string[]): string {
  return `#!/bin/sh
# lbsim, self-extracting. What follows the line __ARCHIVE__ is a compressed tar archive.
set -eu
mask=$(umask)
umask 077
if [ -n "\${XDG_CACHE_HOME:-}" ]; then cache=$XDG_CACHE_HOME
elif [ "$(uname)" = Darwin ] && [ -n "\${HOME:-}" ]; then cache=$HOME/Library/Caches
elif [ -n "\${HOME:-}" ]; then cache=$HOME/.cache
else cache=/nonexistent
fi
if ! mkdir -p "$cache/lbsim" 2>/dev/null || ! [ -w "$cache/lbsim" ]; then
  cache=\${TMPDIR:-/tmp}/lbsim-$(id -u)
  mkdir -p "$cache/lbsim"
  if ! [ -O "$cache" ]; then echo "lbsim: $cache belongs to somebody else" >&2; exit 1; fi
fi
home=$cache/lbsim/${digest}
if ! [ -x "$home/deno" ]; then
  fresh=$(mktemp -d "$cache/lbsim/unpacking.XXXXXX")
  line=$(awk '/^__ARCHIVE__$/ { print NR + 1; exit }' "$0")
  tail -n +"$line" "$0" | tar -xzf - -C "$fresh"
  mv "$fresh" "$home" 2>/dev/null || true
  if [ -d "$home/\${fresh##*/}" ]; then rm -rf "$home/\${fresh##*/}"; fi
  rm -rf "$fresh"
fi
umask "$mask"
DENO_NO_UPDATE_CHECK=1 DENO_DIR=$home/cache exec "$home/deno" run --no-config --no-lock --no-remote --no-npm \\
  --no-prompt --quiet ${flags.join(" ")} "$home/lbsim.js" "$@"
__ARCHIVE__
`;
}

/** Builds the executable. */
export async function buildPortable(output: string): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "lbsim-portable-" });
  try {
    await run(Deno.execPath(), [
      ...["bundle", "--quiet", "--platform", "deno"],
      ...["--output", `${work}/lbsim.js`, `${import.meta.dirname}/../main.ts`],
    ]);
    await Deno.copyFile(Deno.execPath(), `${work}/deno`);
    await Deno.chmod(`${work}/deno`, 0o755);
    await run("tar", ["-czf", `${work}/archive.tgz`, "-C", work, "deno", "lbsim.js"]);
    const archive = await Deno.readFile(`${work}/archive.tgz`);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", archive)).toHex().slice(
      0,
      16,
    );
    const text = new TextEncoder().encode(head(digest, runFlags()));
    await Deno.writeFile(output, text, { mode: 0o755 });
    await Deno.writeFile(output, archive, { append: true });
    await Deno.chmod(output, 0o755);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function run(program: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stdout: "null" }).output();
  if (!success) throw new Error(`${program} ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}

async function main(): Promise<number> {
  if (Deno.build.os === "windows") {
    console.error("compile:portable is for Linux and macOS; on Windows use `deno task compile`");
    return 1;
  }
  const os = Deno.build.os === "darwin" ? "macos" : Deno.build.os;
  const arch = Deno.build.arch === "x86_64" ? "x64" : "arm64";
  const output = `dist/lbsim-portable-${os}-${arch}`;
  await Deno.mkdir("dist", { recursive: true });
  await buildPortable(output);
  await smoke([`${Deno.cwd()}/${output}`]);
  console.log(`built ${output}; it runs`);
  return 0;
}

if (import.meta.main) Deno.exitCode = await main();
