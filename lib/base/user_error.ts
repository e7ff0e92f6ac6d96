/**
 * An error whose message is meant for the person at the terminal: it says what is wrong, where, and
 * what would be right. Everything else that reaches `main.ts` is a defect of lbsim itself.
 */
export class UserError extends Error {
  override readonly name: string = "UserError";
  /** 1: it failed. 2: it was asked for wrongly (usage or configuration). */
  readonly exitCode: 1 | 2;
  /** What the person can do about it, if there is something. */
  readonly hint: string | undefined;

  constructor(
    message: string,
    options: { exitCode?: 1 | 2; hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode ?? 1;
    this.hint = options.hint;
  }
}
