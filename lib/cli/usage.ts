/** Formats help texts and usage errors like lbsim's other messages. */
import { Help, type Option } from "commander";

/** Converts Commander's message about a mistake: `lbsim: unknown option "--listn"` and, on the next line, a hint. */
export function usageError(text: string): string {
  return text
    .replace(
      /^error: option '(?:-\w, )?(--[\w-]+)[^']*' argument '(.*)' is invalid\. /s,
      wrongValue,
    )
    .replace(
      /^error: command-argument value '(.*)' is invalid for argument '([\w-]+)'\. /s,
      (text, value, name) => wrongValue(text, name, value),
    )
    .replace(
      /^error: option '(?:-\w, )?(--[\w-]+) (<[^>]+>)' argument missing/,
      "lbsim: $1 needs a value: $1 $2",
    )
    .replace(/^error: missing required argument '([\w-]+)'/, "lbsim: the argument <$1> is missing")
    .replace(
      /^error: too many arguments for '([\w-]+)'\. Expected (\d+) arguments? but got \d+: /,
      (_, command, most) =>
        `lbsim: ${command} takes ${most === "0" ? "no" : most} argument${
          most === "1" ? "" : "s"
        }, but got: `,
    )
    .replace(/^error: (unknown \w+) '(.*?)'/s, 'lbsim: $1 "$2"')
    .replace(/^error: /, "lbsim: ")
    .replace(/\n\(Did you mean (.*\?)\)\s*$/, "\n  did you mean $1\n")
    .replace(/\.\s*$/, "\n");
}

function wrongValue(_: string, flag: string, value: string): string {
  return `lbsim: ${flag} ${value === "" ? '""' : value}: `;
}

/** The description of an option in the help. It does not mention a default that is false or an empty text. */
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
