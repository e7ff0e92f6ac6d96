/** The part of the page's address that names what the page opens. */
import { decodeShare, encodeShare, fitsAddress, ShareError } from "./share.ts";
import type { TextFile } from "./protocol.ts";

/** A run that the address, or a file, contains completely. */
export interface SharedRun {
  readonly source: TextFile;
  /** The files of a recording, if its decisions are shown. Then the source is not used. */
  readonly recording?: readonly TextFile[];
  readonly files: Readonly<Record<string, TextFile>>;
  readonly at_ms: number;
  readonly speed: number;
  readonly variant: number;
}

/** What an address opens. */
export type Route =
  | { readonly kind: "start" }
  | { readonly kind: "example"; readonly name: string }
  | { readonly kind: "lesson"; readonly number: number; readonly change: number | undefined }
  /** The file that `lbsim play FILE` was started with. */
  | { readonly kind: "given" }
  /** The configuration of the balancer whose dashboard has the link to this page. */
  | { readonly kind: "live" }
  | { readonly kind: "shared"; readonly run: SharedRun };

/**
 * Reads the part of an address after `#`.
 *
 * @throws {ShareError} if it is damaged, or of a newer version.
 */
export async function readRoute(hash: string): Promise<Route> {
  const text = hash.replace(/^#/, "");
  if (text === "") return { kind: "start" };
  if (text === "given" || text === "live") return { kind: text };
  const [, key, value] = /^(example|lesson|s)=(.*)$/.exec(text) ?? [];
  if (key === "example" && /^[\w-]+$/.test(value!)) return { kind: "example", name: value! };
  const [, number, change] = /^(\d{1,3})(?:\.(\d{1,2}))?$/.exec(value ?? "") ?? [];
  if (key === "lesson" && number !== undefined) {
    return {
      kind: "lesson",
      number: Number(number),
      change: change === undefined ? undefined : Number(change),
    };
  }
  if (key === "s") return { kind: "shared", run: await runOfText(value!) };
  throw new ShareError("the address is damaged: it names nothing that the playground can open");
}

/** A run as a text: the part of an address, or the text of a file if the run does not fit into an address. */
export async function writtenRun(
  run: SharedRun,
): Promise<{ readonly hash: string } | { readonly file: string }> {
  const text = await encodeShare(run);
  return fitsAddress(run, text) ? { hash: `#s=${text}` } : { file: text };
}

/**
 * Reads the text of a run.
 *
 * @param what The name of the text in messages.
 * @param bytesMax The longest run.
 * @throws {ShareError} if it is damaged, too long, or of a newer version.
 */
export async function runOfText(
  text: string,
  what?: string,
  bytesMax?: number,
): Promise<SharedRun> {
  const state = await decodeShare(text, what, bytesMax);
  const { source, files, at_ms, speed, variant, recording } = (state ?? {}) as Record<
    string,
    unknown
  >;
  const isSound =
    (recording === undefined || Array.isArray(recording) && recording.every(isFile)) &&
    isFile(source) && typeof files === "object" && files !== null &&
    Object.values(files).every(isFile) && isAmount(at_ms) && isAmount(speed) && isAmount(variant);
  if (!isSound) {
    throw new ShareError(
      `${what ?? "the address"} is damaged: it does not contain a run of the playground`,
    );
  }
  return {
    ...{ source, files: files as SharedRun["files"], at_ms, speed, variant },
    ...recording !== undefined && { recording: recording as readonly TextFile[] },
  };
}

function isFile(value: unknown): value is TextFile {
  const { file, text } = (value ?? {}) as Record<string, unknown>;
  return typeof file === "string" && typeof text === "string";
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
