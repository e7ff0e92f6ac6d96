/**
 * States a condition that no user and no network can break. If it is false, this is a defect of lbsim, so it throws
 * in production, too.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) {
    throw new Error(`Assertion failed: ${message}`);
  }
}
