/** How the command line is described and its mistakes are reported, in the form of lbsim's other messages. */
import { Help, type Option } from "commander";

/** What Commander says of a mistake → `lbsim: unknown option "--listn"` and, below it, a hint. */
export function usageError(text: string): string {
  return text
    .replace(
      /^error: option '(?:-\w, )?(--[\w-]+)[^']*' argument '(.*)' is invalid\. /s,
      wrongValue,
    )
    .replace(/^error: (unknown \w+) '(.*?)'/s, 'lbsim: $1 "$2"')
    .replace(/^error: /, "lbsim: ")
    .replace(/\n\(Did you mean (.*\?)\)\s*$/, "\n  did you mean $1\n")
    .replace(/\.\s*$/, "\n");
}

function wrongValue(_: string, flag: string, value: string): string {
  return `lbsim: ${flag} ${value}: `;
}

/** An option in the help. A default of "off" or "nothing" is not worth a word. */
export function optionDescription(this: Help, option: Option): string {
  const isPlain = option.defaultValue === false || option.defaultValue === "";
  if (!isPlain) return Help.prototype.optionDescription.call(this, option);
  const { defaultValue } = option;
  option.defaultValue = undefined;
  try {
    return Help.prototype.optionDescription.call(this, option);
  } finally {
    option.defaultValue = defaultValue;
  }
}
