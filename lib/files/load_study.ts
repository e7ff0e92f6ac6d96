/** Reads a scenario from a file: the result is a `Study`, or diagnostics with its mistakes. */
import { basename } from "node:path";
import { UserError } from "../base/mod.ts";
import { isData, type Source, YamlFile } from "../config/mod.ts";
import { ALGORITHM_NAMES } from "../core/mod.ts";
import { type NamedFile, ScenarioDraft, type Study } from "../scenario/mod.ts";
import { beside } from "./beside.ts";
import { readText } from "./text_file.ts";

/** The largest size of a trace. A million rows take about 24 MB. */
const TRACE_BYTES_MAX = 256 * 1024 * 1024;

const TRACE_HINT =
  "`trace` names a CSV file with recorded arrivals; its path is relative to the scenario";
const CONFIG_HINT = "`extends` names a config.yaml; its path is relative to the scenario";

/**
 * Reads a scenario and the files that it names. If the file is a balancer's configuration, the scenario compares all
 * algorithms with this configuration.
 *
 * @param set Settings that override the file's, `key=value`.
 * @throws {UserError} if a file cannot be read; {DiagnosticsError} if a file has mistakes.
 */
export async function loadStudy(file: string, set: readonly string[]): Promise<Study> {
  const source = await readText(file, "name a scenario or a config.yaml: lbsim sim FILE");
  const yaml = new YamlFile(source);
  if (!isData(yaml.data) || !("backends" in yaml.data)) return await studyOf(yaml, set);
  const text = everyAlgorithm(basename(file));
  return await studyOf(new YamlFile({ file, text }), set, { [basename(file)]: yaml });
}

/**
 * Reads the files that a scenario names; paths in it are relative to its file.
 *
 * @param read By path: the YAML of files that have been read already.
 * @throws {UserError} as `loadStudy`.
 */
export async function studyOf(
  scenario: YamlFile,
  set: readonly string[],
  read: Readonly<Record<string, YamlFile>> = {},
): Promise<Study> {
  const draft = new ScenarioDraft(scenario, set);
  const files: Record<string, Source> = {};
  for (const named of draft.files) {
    const { path } = named;
    files[path] = read[path]?.source ?? await readNamed(named, scenario.source.file);
  }
  return draft.study(files, read);
}

/** Reads a file that a scenario names. */
async function readNamed({ path, kind, flag }: NamedFile, scenario: string): Promise<Source> {
  const real = beside(scenario, path);
  try {
    return kind === "trace"
      ? await readText(real, TRACE_HINT, TRACE_BYTES_MAX)
      : await readText(real, CONFIG_HINT);
  } catch (error) {
    if (!(error instanceof UserError) || flag === undefined) throw error;
    const { message, exitCode, hint } = error;
    throw new UserError(`${flag}: ${message}`, { exitCode, ...hint !== undefined && { hint } });
  }
}

/** A scenario that compares all algorithms with a balancer's configuration. */
function everyAlgorithm(file: string): string {
  return `extends: ${JSON.stringify(file)}
duration: 1m
compare: {balancer.algorithm: [${ALGORITHM_NAMES.join(", ")}]}
`;
}
