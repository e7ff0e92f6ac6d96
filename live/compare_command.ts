import { Command } from "@commander-js/extra-typings";
import { escapeAll, escapedJson, escapeText, UserError } from "../lib/base/mod.ts";
import { isData } from "../lib/config/mod.ts";
import { fileOption, type Io } from "../lib/cli/mod.ts";
import { readText } from "../lib/files/mod.ts";
import {
  sideBySide,
  sideBySideLines,
  sideBySidePage,
  type StudyReport,
} from "../lib/report/mod.ts";
import { refuseUnwritable, writePage } from "../sim/show.ts";

/**
 * The largest file of a result, in bytes. The result of a large study has thousands of backends.
 */
const RESULT_BYTES_MAX = 2 ** 28;

/** `lbsim compare`: two results side by side. */
export function compareCommand(io: Io) {
  return new Command("compare")
    .description("Show two results of lbsim sim --json or lbsim live --json side by side.")
    .argument("<a>", "a result", fileOption)
    .argument("<b>", "another result", fileOption)
    .option("--html <file>", "write the comparison to this file, as one HTML page", fileOption)
    .option("--json", "print one JSON object")
    .addHelpText("after", MORE)
    .action(async (first, second, { html, json }) => {
      await refuseUnwritable({ html });
      const compared = sideBySide(await readResult(first), await readResult(second));
      if (compared.variants.length === 0) {
        throw new UserError("the two results have no variant in common", {
          exitCode: 2,
          hint: escapeText(
            `${first} has ${compared.only_a.join("; ")}; ${second} has ${
              compared.only_b.join("; ")
            }`,
          ),
        });
      }
      if (html !== undefined) {
        await writePage(html, sideBySidePage(compared));
        io.err(`comparison written to ${escapeText(html)}`);
      }
      if (json) io.out(escapedJson(compared));
      else sideBySideLines(escapeAll(compared)).forEach((line) => io.out(line));
    });
}

const MORE = `
Each difference is b minus a. ± is half of its 95 % confidence interval; it is
shown only if both results have several replications. Differences of shares are
in percentage points (pp).

Examples:
  lbsim sim scenario.yaml --json > sim.json
  lbsim live scenario.yaml --json > live.json
  lbsim compare sim.json live.json`;

/**
 * Reads a result.
 *
 * @throws {UserError} if the file is not a result.
 */
async function readResult(file: string): Promise<StudyReport> {
  const { text } = await readText(
    file,
    "use a file with the output of lbsim sim --json or lbsim live --json",
    RESULT_BYTES_MAX,
  );
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new UserError(`${escapeText(file)}: is not JSON`, { exitCode: 2, hint: HINT });
  }
  if (!isResult(data)) {
    throw new UserError(`${escapeText(file)}: is not a result of lbsim`, {
      exitCode: 2,
      hint: HINT,
    });
  }
  return data;
}

const HINT = "lbsim sim --json and lbsim live --json print results";

function isResult(data: unknown): data is StudyReport {
  if (!isData(data) || !Array.isArray(data.variants) || typeof data.digest !== "string") {
    return false;
  }
  return data.variants.every((variant) =>
    isData(variant) && typeof variant.name === "string" && isData(variant.sojourn_ms) &&
    isData(variant.imbalance) && Array.isArray(variant.backends) && Array.isArray(variant.faults)
  );
}
