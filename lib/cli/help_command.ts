import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { didYouMean, UserError } from "../base/mod.ts";

/** `lbsim help`. Commander's own command prints no error for an unknown command. */
export function helpCommand(root: CommandUnknownOpts) {
  return new Command("help")
    .description("show the help of a command")
    .argument("[command]", "the command")
    .action((name) => {
      const commands = root.createHelp().visibleCommands(root);
      const command = name === undefined ? root : commands.find((one) => one.name() === name);
      if (command !== undefined) return command.help();
      const names = commands.map((one) => one.name());
      throw new UserError(`unknown command "${name}"`, {
        exitCode: 2,
        hint: didYouMean(name!, names) ?? "lbsim --help lists all commands",
      });
    });
}
