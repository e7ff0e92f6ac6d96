/** Reads the text of config.yaml: the result is a `Config`, or diagnostics with its mistakes. */
import type { AlgorithmName } from "../core/mod.ts";
import { checkConfig } from "./check.ts";
import type { Source } from "./diagnostic.ts";
import { type Finding, independent, salvage, type Salvaged, validate } from "./findings.ts";
import { type Config, configKeys, configSchema } from "./schema.ts";
import { YamlFile } from "./yaml_file.ts";

/** The hint for an empty configuration. */
const NEEDS = "it needs at least `backends`";

/**
 * Reads a configuration. Paths in it stay as they are written.
 *
 * @throws {DiagnosticsError} with everything that is wrong in the text.
 */
export function parseConfig(source: Source): Config {
  const draft = new ConfigDraft(new YamlFile(source));
  draft.conclude();
  return draft.config;
}

/** An algorithm with its default parameters. */
export function algorithmNamed(name: AlgorithmName): Config["algorithm"] {
  return configKeys.algorithm.parse(name);
}

/** A configuration that was read but not yet accepted, because some checks need more than its text. */
export class ConfigDraft {
  /** The configuration; for an invalid text, the configuration of its valid parts. */
  readonly config: Config;
  /** The data from which `config` was made, as written in the file. */
  readonly data: unknown;
  readonly #yaml: YamlFile;
  readonly #findings: readonly Finding[];
  readonly #salvaged: Salvaged<unknown> | undefined;

  /**
   * Reads a text in small steps, so that other work can be done in between.
   *
   * @throws {DiagnosticsError} if it has no valid part that could be checked further.
   */
  static *inSteps(source: Source): Generator<void, ConfigDraft> {
    const yaml = yield* YamlFile.inSteps(source, configSchema);
    yield;
    return new ConfigDraft(yaml);
  }

  /** @throws {DiagnosticsError} if it has no valid part that could be checked further. */
  constructor(yaml: YamlFile) {
    yaml.mustBeReadable(NEEDS);
    const { value, findings } = validate(configSchema, yaml.data, checkConfig);
    const salvaged = value === undefined ? salvage(configSchema, yaml.data, findings) : undefined;
    const usable = value ?? salvaged?.value;
    if (usable === undefined) throw yaml.error(findings);
    this.config = usable;
    this.data = salvaged === undefined ? yaml.data : salvaged.data;
    this.#yaml = yaml;
    this.#findings = findings;
    this.#salvaged = salvaged;
  }

  /**
   * Accepts the configuration.
   *
   * @param later The findings of further checks of `config`.
   * @param options `isElsewhere`: all these findings concern this machine, and the file may be valid on another one.
   *   `files`: the files that the text names.
   * @throws {DiagnosticsError} with everything that is wrong.
   */
  conclude(
    later: readonly Finding[] = [],
    { isElsewhere = false, files = [] }: {
      readonly isElsewhere?: boolean | undefined;
      readonly files?: readonly string[];
    } = {},
  ): void {
    const found = later.map((finding) => ({
      ...finding,
      path: this.#salvaged?.original(finding.path) ?? finding.path,
    }));
    const all = [...this.#findings, ...independent(found, this.#findings)];
    if (all.length === 0 && this.#yaml.isSound) return;
    const isRight = this.#findings.length === 0 && this.#yaml.isSound && isElsewhere;
    throw this.#yaml.error(all, { exitCode: isRight ? 1 : 2, files });
  }
}
