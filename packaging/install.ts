/** Installs the command `lbsim`, which runs this checkout, with `deno install`. */
import { runFlags } from "./flags.ts";

/** The arguments of `deno install`. It does not use the permissions in deno.json, so they are given as flags. */
export function installArgs(): string[] {
  return [
    ...["install", "--global", "--force", "--quiet", "--name", "lbsim", "--config", "deno.json"],
    ...runFlags(),
    "main.ts",
  ];
}

if (import.meta.main) {
  const command = new Deno.Command(Deno.execPath(), {
    args: installArgs(),
    cwd: new URL("../", import.meta.url),
  });
  const { code } = await command.spawn().status;
  if (code === 0) console.log("installed lbsim in the folder bin of Deno's installation root");
  Deno.exitCode = code;
}
