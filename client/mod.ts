/** The client: interactive, and in batches. */
export { clientCommand } from "./command.ts";
