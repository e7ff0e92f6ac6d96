/**
 * An error whose message is for the user: it states what is wrong, where, and what would be right. Every other error
 * that reaches `main.ts` is a defect of lbsim.
 */
export class UserError extends Error {
  override readonly name: string = "UserError";
  /** 1: the command failed. 2: the usage or the configuration is wrong. */
  readonly exitCode: 1 | 2;
  /** What the user can do, if this is known. */
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
