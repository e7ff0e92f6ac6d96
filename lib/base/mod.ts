/** The functions and types that all pure code may use. They depend on no other part of this project. */
export {
  type Address,
  addressOf,
  canonicalHost,
  formatAddress,
  isLocal,
  isLoopback,
  isWildcard,
  parseAddress,
} from "./address.ts";
export { aligned } from "./aligned.ts";
export { type Aged, AgeList } from "./age_list.ts";
export { assert } from "./assert.ts";
export { formatDuration, parseDuration } from "./duration.ts";
export { decimalExponent, exp, ln, power, sinTurns, square } from "./elementary.ts";
export { escapeAll, escapedJson, escapeText } from "./escape.ts";
export {
  canonicalIp,
  formatIp,
  formatIpv6,
  formatPrefix,
  type IpGroups,
  isIn,
  isInAny,
  maskIp,
  parseIp,
  parsePrefix,
  type Prefix,
} from "./ip.ts";
export { LineReader, LineTooLong, writeAll } from "./lines.ts";
export { finished } from "./pieces.ts";
export { childSeed, createRandom, mix, type Random, uniformOf } from "./random.ts";
export { type Nanoseconds, NS_PER_MS, NS_PER_S, NS_PER_US } from "./time.ts";
export { didYouMean, nameMeant } from "./suggest.ts";
export { UserError } from "./user_error.ts";
export { VERSION } from "./version.ts";
