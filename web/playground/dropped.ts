/** The files that a user has dropped on the page or chosen in the file dialog. */
import { isMeantAsRecording } from "../../lib/recording/meant.ts";
import { RECORDING_MAX, tooLargeWords } from "../../lib/recording/page_limit.ts";
import { runOfText, type SharedRun } from "./address.ts";
import type { TextFile } from "./protocol.ts";
import { FILE_BYTES_MAX, RUN_ENDING } from "./share.ts";

/** Files that the page can open. */
export type Dropped =
  | {
    readonly kind: "run";
    readonly source: TextFile;
    readonly files: Readonly<Record<string, TextFile>>;
  }
  | { readonly kind: "recording"; readonly parts: readonly TextFile[] }
  | { readonly kind: "saved"; readonly run: SharedRun };

/** The files cannot be opened; the message says why, for the user. */
export class DropError extends Error {}

/** The largest scenario or configuration, as on the command line. A larger file cannot be the right one. */
const YAML_MAX = 1024 * 1024;
/** The largest file of any other kind: a trace may be larger. */
const FILE_MAX = 64 * 1024 * 1024;
const MIB = 1024 * 1024;

/**
 * Reads files.
 *
 * @throws {DropError} if one cannot be read, or is too large; {ShareError} if a saved run is damaged.
 */
export async function readDropped(list: readonly File[]): Promise<Dropped> {
  const beginnings = await Promise.all(list.map(beginningOf));
  const recordings = list.filter(({ name }, i) => isMeantAsRecording(name, beginnings[i]!));
  if (recordings.length > 0) {
    const other = list.find((file) => !recordings.includes(file));
    if (other !== undefined) {
      throw new DropError(`${other.name}: a recording is opened alone: drop only its files`);
    }
    const size = list.reduce((sum, one) => sum + one.size, 0);
    if (size > RECORDING_MAX) throw new DropError(tooLargeWords(list[0]!.name, size));
    return {
      kind: "recording",
      parts: await Promise.all(
        list.map(async (one) => ({ file: one.name, text: await one.text() })),
      ),
    };
  }
  const [first] = list;
  if (list.length === 1 && first!.name.endsWith(RUN_ENDING)) {
    return {
      kind: "saved",
      run: await runOfText((await textOf(first!)).trim(), "the file", FILE_BYTES_MAX),
    };
  }
  const isYaml = (name: string) => /\.ya?ml$/i.test(name);
  const texts = await Promise.all(list.map(async (file): Promise<TextFile> => {
    const max = isYaml(file.name) || list.length === 1 ? YAML_MAX : FILE_MAX;
    if (file.size > max) {
      throw new DropError(
        `${file.name}: is larger than ${max / MIB} MB: this cannot be the right file`,
      );
    }
    return { file: file.name, text: await textOf(file) };
  }));
  const yaml = texts.filter(({ file }) => isYaml(file));
  // A scenario names the other files. Without a scenario, the only file is a configuration.
  const [source = texts[0]!] = yaml.toSorted((a, b) => rank(a) - rank(b));
  const others = texts.filter((one) => one !== source);
  return {
    kind: "run",
    source,
    files: Object.fromEntries(others.map((one) => [one.file, one])),
  };
}

/** The first characters of a file. */
async function beginningOf(file: File): Promise<string> {
  try {
    return await file.slice(0, 64).text();
  } catch {
    throw new DropError(`${file.name}: cannot be read. If it is a folder, drop the files in it`);
  }
}

async function textOf(file: File): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new DropError(`${file.name}: is not UTF-8 text\nsave it as UTF-8`);
  }
}

/** The rank of a file: a scenario comes before a configuration. */
function rank({ text }: TextFile): number {
  return /^(balancer|workload|service|extends|compare|duration):/m.test(text) ? 0 : 1;
}
