/** Shards: parts of a study's runs that are computed separately and merged later. */
import { parseStudy, type Study, type StudyInputs } from "../../lib/scenario/mod.ts";
import { escapeText, UserError } from "../../lib/base/mod.ts";
import { type TaskResult, tasksOf } from "./run_study.ts";

/** The third of ten is `{index: 3, of: 10}`: it runs every tenth task, from the third on. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

/** The file that a shard writes, as JSON. It contains everything that a merge needs. */
export interface ShardFile {
  readonly lbsim: string;
  readonly shard: Shard;
  readonly inputs: StudyInputs;
  readonly wall_s: number;
  readonly results: readonly TaskResult[];
}

/** A study merged from shards. */
export interface Merged {
  readonly study: Study;
  readonly results: readonly TaskResult[];
  readonly wallSeconds: number;
}

/**
 * Reads a shard's file.
 *
 * @throws {UserError} if the file is not the result of a shard.
 */
export function parseShard(file: string, text: string): ShardFile {
  let data: Partial<ShardFile> | null;
  try {
    data = JSON.parse(text);
  } catch {
    throw new UserError(`${escapeText(file)}: is not JSON`, { exitCode: 2 });
  }
  if (data?.shard === undefined || data.inputs === undefined || !Array.isArray(data.results)) {
    throw new UserError(`${escapeText(file)}: was not written by \`lbsim sim --shard\``, {
      exitCode: 2,
    });
  }
  return data as ShardFile;
}

/**
 * Merges shards, in any order. The result is the same as that of one run of the whole study.
 *
 * @throws {UserError} if they belong to different studies, or one is missing or given twice.
 */
export function mergeShards(
  version: string,
  files: readonly { readonly file: string; readonly shard: ShardFile }[],
): Merged {
  const [first] = files;
  if (first === undefined) throw new UserError("there are no shards to merge", { exitCode: 2 });
  const { inputs, shard: { of } } = first.shard;
  const seen = new Map<number, string>();
  for (const { file, shard } of files) {
    const fail = (message: string): never => {
      throw new UserError(`${escapeText(file)}: ${message}`, { exitCode: 2 });
    };
    if (shard.lbsim !== version) {
      fail(`was written by lbsim ${shard.lbsim}, and this is ${version}`);
    }
    if (JSON.stringify(shard.inputs) !== JSON.stringify(inputs) || shard.shard.of !== of) {
      fail(`belongs to another study than ${first.file}`);
    }
    const twin = seen.get(shard.shard.index);
    if (twin !== undefined) fail(`is shard ${shard.shard.index} of ${of}, as is ${twin}`);
    seen.set(shard.shard.index, file);
  }
  const missing = Array.from({ length: of }, (_, i) => i + 1).filter((index) => !seen.has(index));
  if (missing.length > 0) {
    throw new UserError(
      `${missing.length} of ${of} shards are missing: ${missing.slice(0, 20).join(", ")}`,
      { hint: `run each with --shard K/${of}` },
    );
  }
  const study = parseStudy(inputs);
  const results = files.flatMap(({ shard }) => shard.results);
  const complete = "replications" in study.repetition
    ? tasksOf(study, 0, study.repetition.replications).length
    : 0;
  if (results.length !== complete) {
    throw new UserError(`there are ${results.length} runs in the shards, not ${complete}`);
  }
  const wallSeconds = files.reduce((sum, { shard }) => sum + shard.wall_s, 0);
  return { study, results, wallSeconds };
}
