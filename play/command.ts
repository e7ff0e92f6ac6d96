import { Command } from "@commander-js/extra-typings";
import { escapeText } from "../lib/base/mod.ts";
import { fileOption, type Io, portOption } from "../lib/cli/mod.ts";
import { loadStudy } from "../lib/files/load_study.ts";
import { isRecordingFile, readRecording } from "../lib/files/recording_files.ts";
import { giveUp, openInBrowser, untilAborted } from "../lib/io/mod.ts";
import { servePlayground } from "./server.ts";

/** `lbsim play`: the simulator as a page, with the requests drawn one by one. */
export function playCommand(io: Io) {
  return new Command("play")
    .description(
      "Show the simulator in a browser: watch each request, break and repair backends, and go back in time.",
    )
    .argument("[file]", "a scenario, a config.yaml or a recording to begin with", fileOption)
    .option("--port <n>", "the port on 127.0.0.1; 0: any free port", portOption, 0)
    .option("--no-open", "only print the address, and open no browser")
    .action(async (file, { port, open }) => {
      const given = file === undefined ? undefined : await givenFile(file);
      await giveUp("read");
      const server = await servePlayground(port, given);
      try {
        const url = `${server.url}/${given === undefined ? "" : "#given"}`;
        io.out(escapeText(`the playground is at ${url}; Ctrl-C stops it`));
        if (open) {
          void openInBrowser(url).then((failure) => {
            if (failure === undefined) return;
            io.err(`lbsim: no browser was started: ${failure}. Open this address in a browser`);
          });
        }
        await giveUp("run", "net");
        await untilAborted(io.signal);
      } finally {
        await server.stop();
      }
    });
}

/**
 * The file for the page: its text, and the texts of the files that it names.
 *
 * @throws {UserError} if one cannot be read; {DiagnosticsError} if there are mistakes in one.
 */
async function givenFile(file: string): Promise<string> {
  if (isRecordingFile(file)) return JSON.stringify({ recording: await readRecording(file) });
  const { inputs } = await loadStudy(file, []);
  return JSON.stringify(inputs);
}
