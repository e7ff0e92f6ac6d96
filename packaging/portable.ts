/**
 * Builds one self-extracting executable for this machine's platform (Linux or macOS) without Deno's
 * compile runtime: a shell head, then Deno and the bundled program as a compressed archive. The first
 * start unpacks it into the user's cache; later ones find it there.
 */
import { runFlags } from "./flags.ts";
import { smoke } from "./smoke.ts";

/**
 * The head of the file. No other user may replace what it unpacks and runs. This also holds for root with a user's
 * HOME, in a shared cache, and while links are swapped. So it uses only a directory of its own, below directories in
 * which no other user can replace anything, and uses their path without links. It unpacks beside the final place and
 * then renames, so that no start sees half of the files. It ends in `exec`, so that signals reach lbsim, and its exit
 * code is that of lbsim.
 */
function head(digest: string, flags: readonly string[]): string {
  return `#!/bin/sh
# lbsim, self-extracting. After the line __ARCHIVE__ follows a compressed tar archive.
set -euf
mask=$(umask)
umask 077
uid=$(id -u)

fail() { echo "lbsim: $1" >&2; exit 1; }

# Whether only this user and root can replace a file or a directory, or its content. A file in a sticky
# directory can be replaced only by its owner.
guarded() {
  set -- $(LC_ALL=C ls -ldn "$1" 2>/dev/null)
  mode=\${1:-} owner=\${3:-}
  [ "$owner" = 0 ] || [ "$owner" = "$uid" ] || return 1
  case $mode in
    l*) return 1 ;;
    d????????[tT]*) ;;
    ?????w* | ????????w*) return 1 ;;
  esac
}

# The same for a directory and all above it. Sets physical to its path without links.
guarded_path() {
  physical=$(cd -P "$1" 2>/dev/null && pwd -P) || return 1
  step=$physical
  while guarded "$step"; do
    [ "$step" != / ] || return 0
    step=\${step%/*}
    step=\${step:-/}
  done
  return 1
}

# Makes directory $2 in directory $1, or finds it there, for this user alone. Sets cache to its path.
private() {
  parent=$1
  until [ -d "$parent" ]; do parent=$(dirname "$parent"); done
  guarded_path "$parent" && mkdir -p "$1" 2>/dev/null && guarded_path "$1" || return 1
  cache=\${physical%/}/$2
  mkdir "$cache" 2>/dev/null || [ -d "$cache" ] || return 1
  guarded "$cache" && [ "$owner" = "$uid" ] && [ -w "$cache" ] || return 1
  case $mode in ?????w* | ????????w*) return 1 ;; esac
}

# Whether all files are there, and none belongs to another user.
complete() {
  for file in "$1" "$1/deno" "$1/lbsim.js"; do guarded "$file" || return 1; done
  if [ -e "$1/cache" ] || [ -L "$1/cache" ]; then guarded "$1/cache" || return 1; fi
}

unpack() {
  find "$cache" -maxdepth 1 -name 'unpacking.*' -mmin +60 -exec rm -rf {} + 2>/dev/null || true
  fresh=$(mktemp -d "$cache/unpacking.XXXXXX" 2>/dev/null) || fail "cannot write to $cache: is the disk full?"
  trap 'rm -rf "$fresh"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  line=$(awk '/^__ARCHIVE__$/ { print NR + 1; exit }' "$0")
  tail -n +"$line" "$0" | tar -xzof - -C "$fresh" 2>/dev/null && complete "$fresh" ||
    fail "cannot unpack into $cache: is the disk full, or this file damaged?"
  [ -x "$fresh/deno" ] || fail "programs in $cache cannot be started: it may be mounted noexec; set XDG_CACHE_HOME to another directory"
  complete "$home" || rm -rf "$home"
  mv "$fresh" "$home" 2>/dev/null || true
  # If another start was first, mv has moved the files into its directory.
  rm -rf "$home/\${fresh##*/}" "$fresh"
  trap - EXIT HUP INT TERM
}

case \${XDG_CACHE_HOME:-} in
  /*) wanted=$XDG_CACHE_HOME ;;
  *)
    # Some users, like "nobody", have no home: HOME is then a directory that does not exist.
    if [ -d "\${HOME:-}" ]; then home=$HOME; else home=; fi
    case $home in
      /*) if [ "$(uname)" = Darwin ]; then wanted=$home/Library/Caches; else wanted=$home/.cache; fi ;;
      *) wanted= ;;
    esac
    ;;
esac
# If other users could change the cache, or there is no home: a directory below that for temporary files.
{ [ -n "$wanted" ] && private "$wanted" lbsim; } || private "\${TMPDIR:-/tmp}" "lbsim-$uid" ||
  fail "there is no directory in which only this user can write: set XDG_CACHE_HOME to such a directory"
home=$cache/${digest}
complete "$home" && [ -x "$home/deno" ] || unpack
umask "$mask"
set +f
DENO_NO_UPDATE_CHECK=1 DENO_DIR=$home/cache exec "$home/deno" run --no-config --no-lock --no-remote --no-npm \\
  --quiet ${flags.join(" ")} "$home/lbsim.js" "$@"
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
    await packPortable(work, output);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Makes an executable of `deno` and `lbsim.js` in a directory. */
export async function packPortable(directory: string, output: string): Promise<void> {
  await run("tar", ["-czf", `${directory}/archive.tgz`, "-C", directory, "deno", "lbsim.js"]);
  const archive = await Deno.readFile(`${directory}/archive.tgz`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", archive)).toHex().slice(
    0,
    16,
  );
  const text = new TextEncoder().encode(head(digest, runFlags()));
  await Deno.writeFile(output, text, { mode: 0o755 });
  await Deno.writeFile(output, archive, { append: true });
  await Deno.chmod(output, 0o755);
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
