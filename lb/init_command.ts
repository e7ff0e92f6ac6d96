import { Command } from "@commander-js/extra-typings";
import lan from "../config.yaml" with { type: "text" };
import local from "../examples/local.yaml" with { type: "text" };
import { fileOption, type Io } from "../lib/cli/mod.ts";
import { escapeText, UserError } from "../lib/base/mod.ts";
import { writeFailure } from "../lib/io/mod.ts";

/** The line with the path of the JSON Schema. This path is valid only beside the shipped file. */
const SCHEMA_LINE = /^# yaml-language-server: .*\n#\n/;

/** `lbsim init`: writes a first configuration. */
export function initCommand(io: Io) {
  return new Command("init")
    .description("Write a configuration with comments, for a LAN or for one machine.")
    .argument("[file]", "the file to write; -: standard output", fileOption, "config.yaml")
    .option("--local", "for one machine: a balancer and three backends on 127.0.0.1", false)
    .option("--force", "replace the file if it exists", false)
    .action(async (file, options) => {
      const text = configurationText(options.local);
      if (file === "-") return io.print(text);
      await write(file, text, options.force);
      io.out(escapeText(`wrote ${file}: \`lbsim check ${file}\` explains it`));
    });
}

/** The shipped configuration for one machine, or for a LAN. */
export function configurationText(isLocal: boolean): string {
  return (isLocal ? local : lan).replace(SCHEMA_LINE, "");
}

async function write(file: string, text: string, force: boolean): Promise<void> {
  try {
    await Deno.writeTextFile(file, text, { createNew: !force });
  } catch (failure) {
    // A directory also counts as existing, but --force cannot replace it.
    const error = await openFailure(file) ?? failure;
    const fail = (message: string, hint?: string): never => {
      throw new UserError(`${escapeText(file)}: ${message}`, { hint, cause: error });
    };
    if (error instanceof Deno.errors.AlreadyExists) fail("exists already", "--force replaces it");
    // Deno does not let programs write to devices and the system's own directories.
    if (error instanceof Deno.errors.NotCapable) fail("is not a file that lbsim may write");
    fail(`cannot be written: ${writeFailure(error)}`);
  }
}

/** The error if a file could not be opened for writing because it is a directory; otherwise undefined. */
async function openFailure(file: string): Promise<unknown> {
  try {
    (await Deno.open(file, { write: true })).close();
  } catch (error) {
    return error instanceof Deno.errors.IsADirectory ? error : undefined;
  }
}
