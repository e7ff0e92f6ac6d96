/** Scenarios: from a file to a `Study`, or to diagnostics that say what is wrong with it. */
import { dirname, isAbsolute, join } from "node:path";
import type { Source } from "../config/diagnostic.ts";
import { readText } from "../config/yaml_file.ts";
import { filesNamedBy, parseStudy, type Study } from "./study.ts";

export { type Repetition, type Study, type StudyInputs, type Variant } from "./study.ts";

/**
 * Reads a scenario and the files that it names.
 *
 * @param set Settings that win over the file's, `key=value`.
 * @throws {UserError} if one cannot be read; {DiagnosticsError} if there are mistakes in it.
 */
export async function loadStudy(file: string, set: readonly string[]): Promise<Study> {
  return await studyOf(await readText(file), set);
}

/** Reads a scenario whose text is there already; paths in it are relative to its file. */
export async function studyOf(scenario: Source, set: readonly string[]): Promise<Study> {
  const files: Record<string, Source> = {};
  for (const path of filesNamedBy(scenario, set)) {
    const real = isAbsolute(path) ? path : join(dirname(scenario.file), path);
    files[path] = await readText(real);
  }
  return parseStudy({ scenario, files, set });
}
