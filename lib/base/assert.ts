/**
 * States what must hold whatever users and networks do. A failure is a defect of lbsim, so it throws
 * in production too.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) {
    throw new Error(`Assertion failed: ${message}`);
  }
}
