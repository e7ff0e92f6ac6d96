/** Scenarios: from a file to a `Study`, or to diagnostics that say what is wrong with it. */
import { dirname, isAbsolute, join } from "node:path";
import { readText, type Source } from "../config/mod.ts";
import { filesNamedBy, parseStudy, type Study } from "./study.ts";

/**
 * Reads a scenario and the files that it names.
 *
 * @param set Settings that win over the file's, `key=value`.
 * @throws {UserError} if one cannot be read; {DiagnosticsError} if there are mistakes in it.
 */
export async function loadStudy(file: string, set: readonly string[]): Promise<Study> {
  return await studyOf(await readText(file), set);
}

/** A million rows have about 24 MB. */
const TRACE_BYTES_MAX = 256 * 1024 * 1024;

/** Reads a scenario whose text is there already; paths in it are relative to its file. */
export async function studyOf(scenario: Source, set: readonly string[]): Promise<Study> {
  const files: Record<string, Source> = {};
  for (const { path, kind } of filesNamedBy(scenario, set)) {
    const real = isAbsolute(path) ? path : join(dirname(scenario.file), path);
    files[path] = kind === "trace"
      ? await readText(real, TRACE_HINT, TRACE_BYTES_MAX)
      : await readText(real, "`extends` names a config.yaml; its path is relative to the scenario");
  }
  return parseStudy({ scenario, files, set });
}

const TRACE_HINT =
  "`trace` names a CSV file with recorded arrivals; its path is relative to the scenario";
