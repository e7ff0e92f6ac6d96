/** The load generator without its sockets: the payloads, the readers of answers, and the tally. Pure. */
export { Agenda } from "./agenda.ts";
export { type AnswerReader, INVALID, MORE, MORE_WITHOUT } from "./answers.ts";
export { BackendNames, NO_BACKEND } from "./backend_names.ts";
export { type ErrorKind, ERRORS, SHORTAGES } from "./errors.ts";
export { Fifo } from "./fifo.ts";
export { httpPayload, linePayload, type Payload, rawPayload } from "./payload.ts";
export { SLICE, type Slice, Tally } from "./tally.ts";
