/** `lbsim play`: serves the playground to the browser of this machine. */
export { playCommand } from "./command.ts";
