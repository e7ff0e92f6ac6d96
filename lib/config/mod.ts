/** config.yaml: from a file to a `Config`, or to diagnostics that say what is wrong with it. */
export { camelKeys } from "./camel.ts";
export {
  certificateChanges,
  certificateFiles,
  type Certificates,
  certificateWarnings,
  dayOf,
  expiryWarning,
  type KeyPair,
  loadAuthorities,
  loadKeyPair,
  namesInWords,
} from "./certificates.ts";
export { checkConfig } from "./check.ts";
export { isData } from "./data.ts";
export { DiagnosticsError, type LocatedDiagnostic, type Source } from "./diagnostic.ts";
export { difference } from "./difference.ts";
export {
  type Finding,
  independent,
  isPrefix,
  nameOf,
  type Path,
  salvage,
  validate,
  valueAt,
} from "./findings.ts";
export {
  algorithmNamed,
  type Config,
  loadConfig,
  loadConfigAndCertificates,
  type LoadedConfig,
  loadListeningConfig,
  parseConfig,
} from "./load_config.ts";
export { ownBackendsHere } from "./own_backend.ts";
export { jsonSchema, referenceTable } from "./reference.ts";
export {
  address,
  duration,
  flag,
  integer,
  rate,
  type RedisAddress,
  share,
  text,
  words,
} from "./scalars.ts";
export { configSchema } from "./schema.ts";
export { didYouMean } from "./suggest.ts";
export { readText, UnreadableError, YamlFile } from "./yaml_file.ts";
