const NOTHING = new Uint8Array(0);

/**
 * Resolves after the event loop has polled for input and output. Operations that are ready at once settle
 * in microtasks, so a chain of them keeps the loop from polling. A result that another thread brings lets
 * it poll within microseconds; `setTimeout` sleeps for a millisecond at least, and `setImmediate` comes
 * back up to sixty times before the loop polls.
 */
export async function eventLoopTurn(): Promise<void> {
  await crypto.subtle.digest("SHA-1", NOTHING);
}
