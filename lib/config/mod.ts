/** config.yaml: from its text to a `Config`, or to diagnostics that say what is wrong with it. Pure. */
export { checkConfig, checkListen } from "./check.ts";
export { algorithmNamed, ConfigDraft, parseConfig } from "./config_draft.ts";
export { isData } from "./data.ts";
export { DiagnosticsError, type LocatedDiagnostic, type Source } from "./diagnostic.ts";
export { changedValues, difference, writtenConfig } from "./difference.ts";
export { faultsWithValues, serverFault, serverFaultOf } from "./fault.ts";
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
export { type Overrides, withOverrides } from "./overrides.ts";
export { arrivesAt, type Endpoints, ownBackends } from "./own_backend.ts";
export { jsonSchema, referenceTable } from "./reference.ts";
export {
  address,
  type AdminListen,
  duration,
  flag,
  formatAdminListen,
  integer,
  number,
  oneKeyOf,
  rate,
  type RedisAddress,
  rule,
  share,
  text,
  unlimited,
  words,
} from "./scalars.ts";
export {
  BACKEND_ID,
  backendKeys,
  type Config,
  configKeys,
  configSchema,
  DEFAULT_ADMIN_LISTEN,
} from "./schema.ts";
export { serverKeys } from "./server.ts";
export {
  type BackendWish,
  NO_WISHES,
  problemWithWishes,
  wishedChanges,
  type Wishes,
  withWishes,
} from "./wishes.ts";
export { YamlFile } from "./yaml_file.ts";
