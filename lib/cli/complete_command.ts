import { Argument, Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { completionsOf } from "./completion.ts";
import type { Io } from "./io.ts";
import { nameOption } from "./options.ts";

/**
 * The script of each shell. It calls `lbsim complete-words`, which prints the possible next words as lines `word TAB
 * meaning`. If the last line is `:files`, names of files are possible, too.
 */
const SCRIPTS = {
  bash: String.raw`# Completions for lbsim in bash. In ~/.bashrc: source <(lbsim complete bash)
_lbsim() {
  local program=$1 current=$2 line value files=
  program=${"$"}{program/#\~/$HOME}
  COMPREPLY=()
  while IFS= read -r line; do
    value=${"$"}{line%%$'\t'*}
    case $line in
      :files) files=yes ;;
      :*) ;;
      *) [[ $value == "$current"* ]] && COMPREPLY+=("$value") ;;
    esac
  done < <("$program" complete-words -- "${"$"}{COMP_WORDS[@]:1:COMP_CWORD-1}" "$current" 2>/dev/null)
  if [[ -z $files ]]; then
    compopt +o default 2>/dev/null
  elif [[ ${"$"}{#COMPREPLY[@]} -gt 0 ]]; then
    # If there is no suggestion, bash completes file names. If there is one, it does not.
    compopt -o filenames 2>/dev/null
    while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$current")
  fi
}
complete -o default -F _lbsim lbsim
`,
  zsh: String.raw`#compdef lbsim
# Completions for lbsim in zsh. In ~/.zshrc: source <(lbsim complete zsh)
_lbsim() {
  local line files= program=${"$"}{~words[1]}
  local -a found
  while IFS= read -r line; do
    case $line in
      :files) files=yes ;;
      :*) ;;
      *) found+=("${"$"}{${"$"}{line%%$'\t'*}//:/\\:}:${"$"}{line#*$'\t'}") ;;
    esac
  done < <("$program" complete-words -- "${"$"}{(@Q)words[2,CURRENT]}" 2>/dev/null)
  local found_none=1
  (( $#found )) && _describe -t words lbsim found && found_none=0
  if [[ -n $files ]]; then
    compset -P '--*='
    _files && found_none=0
  fi
  return found_none
}
if [[ $funcstack[1] == _lbsim ]]; then
  _lbsim "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _lbsim lbsim
fi
`,
  fish: String
    .raw`# Completions for lbsim in fish. In ~/.config/fish/config.fish: lbsim complete fish | source
function __lbsim_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] complete-words -- $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case ':files'
                set -l flag (string match -r -- '^--[^=]*=' "$current")
                set -l rest (string replace -r -- '^--[^=]*=' '' "$current")
                for path in (complete -C "'' $rest")
                    echo -- "$flag$path"
                end
            case ':*'
            case '*'
                echo -- $line
        end
    end
end
complete -c lbsim -e
complete -c lbsim -f -a '(__lbsim_complete)'
`,
  powershell: String
    .raw`# Completions for lbsim in PowerShell. In $PROFILE: lbsim complete powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName lbsim -ScriptBlock {
  param($current, $line, $cursor)
  $words = @($line.CommandElements | Select-Object -Skip 1 |
    Where-Object { $_.Extent.EndOffset -lt $cursor } | ForEach-Object { $_.ToString() })
  # "=" stands for an empty word, because older versions of PowerShell do not pass an empty one.
  $words += if ($current) { $current } else { '=' }
  & $line.CommandElements[0].ToString() complete-words '--' @words 2>$null |
    Where-Object { $_ -notlike ':*' -and $_ -like "$current*" } | ForEach-Object {
      $word, $meaning = $_ -split "${"`"}t", 2
      if (-not $meaning) { $meaning = $word }
      [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $meaning)
    }
}
`,
} as const;

const SHELLS = Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[];

/** `lbsim complete`: the completions of a shell. */
export function completeCommand(io: Io) {
  return new Command("complete")
    .description("Print the completions that a shell loads in its start-up file.")
    .addArgument(
      new Argument("<shell>", "the shell").choices(SHELLS).argParser(nameOption("shell", SHELLS)),
    )
    .addHelpText("after", EXAMPLES)
    .action((shell) => io.print(SCRIPTS[shell]));
}

const EXAMPLES = `
Examples:
  source <(lbsim complete bash)   this line in ~/.bashrc
  source <(lbsim complete zsh)    this line in ~/.zshrc
  lbsim complete fish | source    this line in ~/.config/fish/config.fish`;

/** The command by which the shells ask for completions. */
export function completeWordsCommand(io: Io, root: CommandUnknownOpts) {
  return new Command("complete-words")
    .argument("[words...]")
    .action((words) => {
      const { words: found, files } = completionsOf(root, words);
      for (const [word, meaning] of found) io.out(meaning === "" ? word : `${word}\t${meaning}`);
      io.out(files ? ":files" : ":");
    });
}
