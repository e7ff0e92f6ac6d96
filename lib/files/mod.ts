/** Configurations, scenarios, recordings and certificates: read from files. */
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
export {
  loadConfig,
  loadConfigAndCertificates,
  type LoadedConfig,
  loadListeningConfig,
} from "./load_config.ts";
export { ownBackendsHere } from "./own_backends_here.ts";
export { refuseUnwritable, replaceText } from "./replace_text.ts";
export { readBytes, readText, UnreadableError } from "./text_file.ts";
