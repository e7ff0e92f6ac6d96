/** The bytes between a client and its backend. */
export { type Preamble, Relays } from "./relay.ts";
