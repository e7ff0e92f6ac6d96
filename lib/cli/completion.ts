/** Finds the possible next words of a command line, from the definitions of commands in Commander. */
import type { CommandUnknownOpts, Option } from "@commander-js/extra-typings";

/** A possible next word, and its meaning. */
export type Candidate = readonly [word: string, meaning: string];

/** The possible completions. */
export interface Completions {
  readonly words: readonly Candidate[];
  /** Whether the name of a file is possible. */
  readonly files: boolean;
}

const NOTHING: Completions = { words: [], files: false };
/** Values and arguments with these names are names of files. */
const FILE = /^files?$/;

/**
 * The possible words in place of the last word. Bash passes `--flag=value` as three words, other shells as one; both
 * are accepted.
 *
 * @param words All words after the program's name, up to the cursor. The last one may be empty.
 */
export function completionsOf(root: CommandUnknownOpts, words: readonly string[]): Completions {
  const { command, position, awaiting, optionsEnded } = read(root, words.slice(0, -1));
  if (awaiting !== undefined) return valuesOf(awaiting, "");
  const typed = words.at(-1) ?? "";
  if (!typed.startsWith("-") || optionsEnded) return argumentsOf(root, command, position);
  const end = typed.indexOf("=") + 1;
  if (end === 0) return { words: optionsOf(command).map(described), files: false };
  const option = optionNamed(command, typed.slice(0, end - 1));
  return option !== undefined && takesValue(option)
    ? valuesOf(option, typed.slice(0, end))
    : NOTHING;
}

/**
 * Finds the command that the words select, the number of its next argument, and an option that still needs a value.
 */
function read(root: CommandUnknownOpts, words: readonly string[]) {
  let command = root;
  let position = 0;
  let awaiting: Option | undefined;
  let optionsEnded = false;
  for (const word of words) {
    if (awaiting !== undefined) {
      if (word !== "=") awaiting = undefined;
    } else if (word === "--") {
      optionsEnded = true;
    } else if (word.startsWith("-") && !optionsEnded) {
      const option = optionNamed(command, word);
      if (option !== undefined && takesValue(option)) awaiting = option;
    } else {
      const subcommand = position === 0 && commandsOf(command).find((one) => one.name() === word);
      if (subcommand) command = subcommand;
      else position++;
    }
  }
  return { command, position, awaiting, optionsEnded };
}

function argumentsOf(
  root: CommandUnknownOpts,
  command: CommandUnknownOpts,
  position: number,
): Completions {
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  const argument = registeredArguments[position] ?? (last?.variadic ? last : undefined);
  const explained = command.name() === "help" ? root : command;
  const commands = position === 0 ? commandsOf(explained) : [];
  return {
    words: [
      ...commands.map((one): Candidate => [one.name(), one.description()]),
      ...argument?.argChoices?.map((choice): Candidate => [choice, ""]) ?? [],
    ],
    files: argument !== undefined && FILE.test(argument.name()),
  };
}

function valuesOf(option: Option, prefix: string): Completions {
  return {
    words: option.argChoices?.map((choice) => [prefix + choice, ""]) ?? [],
    files: FILE.test(/<(.*)>/.exec(option.flags)?.[1] ?? ""),
  };
}

function described({ long, short, description }: Option): Candidate {
  return [long ?? short ?? "", description];
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

function optionNamed(command: CommandUnknownOpts, name: string): Option | undefined {
  return optionsOf(command).find(({ long, short }) => name === long || name === short);
}

/** The options of a command, and those of the commands above it. */
function optionsOf(command: CommandUnknownOpts): Option[] {
  const help = command.createHelp();
  const own = help.visibleOptions(command);
  const names = new Set(own.map(({ long }) => long));
  return [...own, ...help.visibleGlobalOptions(command).filter(({ long }) => !names.has(long))];
}

function commandsOf(command: CommandUnknownOpts): CommandUnknownOpts[] {
  return command.createHelp().visibleCommands(command);
}
