/** Reads a scenario file: the result is a study, whose variants are complete scenarios. */
import {
  checkConfig,
  type Config,
  ConfigDraft,
  configSchema,
  type Finding,
  independent,
  isData,
  isPrefix,
  type Path,
  salvage,
  type Source,
  validate,
  YamlFile,
} from "../config/mod.ts";
import { didYouMean, UserError } from "../base/mod.ts";
import { buildScenario } from "./build.ts";
import { backendsIn, changesOf } from "./changes.ts";
import {
  counterpartOf,
  type Expectation,
  type MetricTerm,
  parseExpectation,
  variantsMeant,
} from "./expectation.ts";
import { isMetric, type MetricName, metricNames, scopeOf } from "../metrics/mod.ts";
import {
  apply,
  FROM_ONE,
  merge,
  parsePath,
  parseSetting,
  type Patch,
  type Setting,
} from "./patch.ts";
import {
  DEFAULT_ARRIVALS,
  DEFAULT_REPLICATIONS,
  DEFAULT_SERVICE,
  type ScenarioFile,
  scenarioSchema,
} from "./schema.ts";
import { parseTrace } from "./trace.ts";
import type { Scenario, Trace } from "./types.ts";

/** All texts of a study. It can be written as JSON and read again without a change. */
export interface StudyInputs {
  readonly scenario: Source;
  /** The files that the scenario names, by the paths in the scenario. */
  readonly files: Readonly<Record<string, Source>>;
  /** Settings from the command line, `key=value`. They override the file. */
  readonly set: readonly string[];
}

/** How often each variant is run. */
export type Repetition =
  | { readonly replications: number }
  | {
    readonly metric: MetricName;
    /** Half of the interval, as a share of the value. */
    readonly relative: number;
    readonly maxReplications: number;
  };

/** One of the compared scenarios. */
export interface Variant {
  readonly name: string;
  /** A short label for each compared setting. The name of the variant consists of these labels. */
  readonly labels: readonly string[];
  /** Its values of the compared settings, by path, as written in the file. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly scenario: Scenario;
}

/** The scenarios to run, and the expectations. */
export interface Study {
  readonly inputs: StudyInputs;
  readonly title?: string;
  readonly watch?: string;
  readonly source: readonly string[];
  readonly seed: number;
  readonly repetition: Repetition;
  readonly variants: readonly Variant[];
  readonly expect: readonly Expectation[];
}

/** Metrics of a whole run. */
const OF_RUN: readonly string[] = metricNames().filter((name) => scopeOf(name) === "run");
/** More variants than this are an error. */
const VARIANTS_MAX = 10_000;
/** The settings that `compare` may vary. */
const COMPARABLE = [
  ...["balancer", "workload", "service", "servers", "network", "load_balancers", "idle_reports"],
  ...["faults", "duration", "warmup", "hash_placement", "overheads"],
];

/** A file that a scenario names. */
export interface NamedFile {
  /** The path as the scenario writes it. */
  readonly path: string;
  readonly kind: "config" | "trace";
  /** The flag of the command line that names it, if the scenario's file does not name it. */
  readonly flag?: string;
}

/** A scenario's text, read once, with its settings from the command line. */
export class ScenarioDraft {
  readonly #yaml: YamlFile;
  readonly #set: readonly string[];
  readonly #patched: Patched;

  /**
   * @param set Settings from the command line, `key=value`; they override the file's.
   * @throws {DiagnosticsError} if the text is empty or not YAML; {UserError} if a setting is wrong.
   */
  constructor(yaml: YamlFile, set: readonly string[]) {
    yaml.mustBeReadable("it needs at least `extends: config.yaml`, or `balancer: {backends: 3}`");
    this.#yaml = yaml;
    this.#set = set;
    this.#patched = patched(withDefaults(yaml.data), set.map(setting));
  }

  /** The scenario as plain data, with the settings in it. */
  get data(): unknown {
    return this.#patched.data;
  }

  /** The files that the scenario names: the configuration first, then traces. */
  get files(): NamedFile[] {
    const data = withDefaults(this.#yaml.data);
    return filesNamedIn(this.#patched.data).map((file) => {
      const isNamedWith = (count: number) =>
        filesNamedIn(patched(data, this.#set.slice(0, count).map(setting)).data)
          .some(({ path }) => path === file.path);
      const first = this.#set.findIndex((_, i) => isNamedWith(i + 1));
      if (first === -1 || isNamedWith(0)) return file;
      return { ...file, flag: `--set ${this.#set[first]}` };
    });
  }

  /**
   * The study that the scenario describes.
   *
   * @param files The files that the scenario names, by the paths in the scenario.
   * @param read The YAML of files that have been read already.
   * @throws {DiagnosticsError} with all mistakes of the scenario, or of the file that it extends;
   * {UserError} if a setting from the command line is wrong.
   */
  study(files: StudyInputs["files"], read: Readonly<Record<string, YamlFile>> = {}): Study {
    const { file, variants, findings, broken } = checked(this.#patched, files, read);
    this.#blameFlags(findings, files, read);
    const hasFailed = findings.length > 0 || !this.#yaml.isSound;
    if (broken !== undefined) {
      throw hasFailed ? both(this.#yaml.error(findings), broken) : broken;
    }
    if (hasFailed) throw this.#yaml.error(unique(findings));
    return {
      inputs: { scenario: this.#yaml.source, files, set: this.#set },
      ...file!.title !== undefined && { title: file!.title },
      ...file!.watch !== undefined && { watch: file!.watch },
      source: [file!.source ?? []].flat(),
      seed: file!.seed,
      repetition: repetitionOf(file!),
      variants,
      expect: file!.expect.map(parseExpectation),
    };
  }

  /**
   * Finds the flag that causes a mistake: the first flag with which it appears. A setting may be wrong only in
   * combination with the rest of the file.
   *
   * @throws {UserError} that names the first flag that causes a mistake.
   */
  #blameFlags(
    findings: readonly Finding[],
    files: StudyInputs["files"],
    read: Readonly<Record<string, YamlFile>>,
  ): void {
    if (findings.length === 0 || this.#set.length === 0) return;
    let known = new Set<string>();
    const data = withDefaults(this.#yaml.data);
    for (let count = 0; count <= this.#set.length; count++) {
      const settings = this.#set.slice(0, count);
      const found = new Set(messagesOf(data, settings, files, read));
      const added = findings.find(({ message }) => found.has(message) && !known.has(message));
      if (count > 0 && added !== undefined) throw flagError(`--set ${settings.at(-1)}`, added);
      known = known.union(found);
    }
  }
}

/** The messages about all mistakes of a scenario to which these settings have been applied. */
function messagesOf(
  data: unknown,
  set: readonly string[],
  files: StudyInputs["files"],
  read: Readonly<Record<string, YamlFile>>,
): string[] {
  try {
    return checked(patched(data, set.map(setting)), files, read).findings
      .map(({ message }) => message);
  } catch (error) {
    // The scenario may name a file that was not read, because a later setting names another file instead.
    if (error instanceof UserError) return [];
    throw error;
  }
}

function flagError(flag: string, { message, hint }: Finding): UserError {
  return new UserError(`${flag}: ${message}`, {
    exitCode: 2,
    ...hint !== undefined && { hint },
  });
}

/** Files that a scenario's data names: the configuration first, then traces. */
function filesNamedIn(data: unknown): NamedFile[] {
  if (!isData(data)) return [];
  const traces = new Set<string>();
  const search = (value: unknown) => {
    if (Array.isArray(value)) value.forEach(search);
    if (!isData(value)) return;
    if (typeof value.trace === "string") traces.add(value.trace);
    Object.values(value).forEach(search);
  };
  search([data.workload, data.compare]);
  for (const [key, values] of Object.entries(isData(data.compare) ? data.compare : {})) {
    if (parsePath(key).at(-1) !== "trace" || !Array.isArray(values)) continue;
    for (const value of values) if (typeof value === "string") traces.add(value);
  }
  const named: NamedFile[] = [...traces].map((path) => ({ path, kind: "trace" }));
  return typeof data.extends === "string"
    ? [{ path: data.extends, kind: "config" }, ...named]
    : named;
}

/** The variants of a scenario, and all mistakes. */
function checked(
  { data, patches }: Patched,
  files: StudyInputs["files"],
  read: Readonly<Record<string, YamlFile>>,
) {
  const { value, findings: wrong } = validate(scenarioSchema, data, checkScenario);
  const findings = wrong.map((finding) => reassign(finding, patches));
  // The valid parts are checked, too, so that all mistakes are reported at once.
  const rest = value === undefined ? salvage(scenarioSchema, data, wrong) : undefined;
  const file = value ?? rest?.value;
  const base = baseConfig(data, files, read);
  if ("broken" in base) return { file, findings, variants: [], broken: base.broken };
  if (file === undefined) return { file, findings, variants: [] };
  const built = variantsOf(file, rest?.data ?? data, {
    patches,
    base: base.data,
    files,
    isWhole: value !== undefined,
  });
  const later = built.findings.map((finding) => ({
    ...finding,
    path: rest?.original(finding.path) ?? finding.path,
  }));
  findings.push(...independent(later, findings));
  return { file, findings, variants: built.variants };
}

/**
 * Reads a study whose files have all been read.
 *
 * @throws {UserError} as `ScenarioDraft` and its `study()`.
 */
export function parseStudy({ scenario, files, set }: StudyInputs): Study {
  return new ScenarioDraft(new YamlFile(scenario), set).study(files);
}

/** The inputs of the variants besides the scenario itself. */
interface Ingredients {
  readonly patches: readonly Patch[];
  /** The data of the extended configuration, as written in its file. */
  readonly base: unknown;
  readonly files: StudyInputs["files"];
  /** Whether the data is complete: no mistakes were removed from it. */
  readonly isWhole: boolean;
}

/** The variants, and the mistakes in them. */
function variantsOf(
  file: ScenarioFile,
  data: unknown,
  { patches, base, files, isWhole }: Ingredients,
): { readonly variants: readonly Variant[]; readonly findings: readonly Finding[] } {
  const findings: Finding[] = [];
  const add = (found: readonly Finding[], blamed: readonly Patch[]) => {
    for (const finding of found) findings.push(reassign(finding, blamed));
  };
  const variants: Variant[] = [];
  const readTrace = traceReader(files);
  const all = combinations(file);
  for (const { patches: own, settings } of all) {
    const { data: ownData, patches: ownPatches } = patched(data, own);
    rejectIneffectiveSettings(patches, ownPatches);
    const blamed = [...ownPatches, ...patches];
    // If nothing is compared, the only variant is the scenario itself.
    const again = own.length === 0
      ? { value: file, findings: [] }
      : validate(scenarioSchema, ownData, () => []);
    add(again.findings, blamed);
    const places: Places = new Map();
    const { config, findings: inBalancer } = balancerOf(ownData, base, places);
    add(independent(inBalancer, again.findings), blamed);
    if (again.value === undefined || config === undefined) continue;
    const { changes } = again.value;
    const built = buildScenario(again.value, config, readTrace, { others: backendsIn(changes) });
    add(built.findings, blamed);
    if (built.scenario === undefined) continue;
    const { changes: stages, findings: inChanges } = changesOf(changes, built.scenario, {
      data: { ...asData(ownData), balancer: merge(base, asData(asData(ownData).balancer)) },
      balancer: (stage) => balancerOf(stage, {}, places),
      build: (stage, stageConfig) =>
        buildScenario(stage, stageConfig, readTrace, {
          others: [...config.backends.map(({ id }) => id), ...backendsIn(changes)],
          capacity: built.capacity,
        }),
    });
    add(inChanges, []);
    const scenario = stages.length === 0 ? built.scenario : { ...built.scenario, changes: stages };
    const labels = labelsOf(settings, config);
    variants.push({ name: labels.join(", "), labels, settings, scenario });
  }
  const known = isWhole && variants.length === all.length ? variants : [];
  add(wrongExpectations(file, known), patches);
  return { variants, findings };
}

/** The error with the mistakes of two files. */
function both(scenario: UserError, extended: UserError): UserError {
  return new UserError(`${scenario.message}\n\n${extended.message}`, { exitCode: 2 });
}

/** Fills in some defaults, so that `--set` and `compare` can change parts of them. */
function withDefaults(data: unknown): unknown {
  if (!isData(data)) return data;
  const workload = data.workload ?? {};
  return {
    ...data,
    service: data.service ?? DEFAULT_SERVICE,
    workload: isData(workload)
      ? { ...workload, arrivals: workload.arrivals ?? DEFAULT_ARRIVALS }
      : workload,
  };
}

/** Data with all patches in it, and the patches with their full paths. */
interface Patched {
  readonly data: unknown;
  readonly patches: readonly Patch[];
}

function patched(data: unknown, settings: readonly Setting[]): Patched {
  const done = settings.map((setting) => {
    const { data: after, ...place } = applied(data, setting);
    data = after;
    return { ...setting, ...place };
  });
  return { data, patches: done };
}

function applied(data: unknown, setting: Setting): ReturnType<typeof apply> {
  try {
    return apply(data, setting);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const { blame } = setting;
    const where = "flag" in blame ? blame.flag : `compare: ${blame.path[1]}`;
    throw new UserError(`${where}: ${error.message}`, { exitCode: 2 });
  }
}

function setting(text: string): Setting {
  try {
    return parseSetting(text);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new UserError(`--set: ${error.message}`, { exitCode: 2 });
    }
    throw error;
  }
}

/**
 * Rejects a setting that every variant overrides: it would have no effect.
 *
 * @throws {UserError}
 */
function rejectIneffectiveSettings(settings: readonly Patch[], compared: readonly Patch[]): void {
  for (const { path, blame } of settings) {
    if (!("flag" in blame) || !compared.some((own) => isPrefix(own.path, path))) continue;
    const [, key, value] = /^--set ([^=]*)=(.*)$/s.exec(blame.flag)!;
    throw new UserError(`${blame.flag}: has no effect, because \`compare\` sets the same key`, {
      exitCode: 2,
      hint: `to try that alone: --set "compare={${key}: [${value}]}"`,
    });
  }
}

/** Moves a finding about a patched value to the origin of the patch. */
export function reassign(finding: Finding, patches: readonly Patch[]): Finding {
  const patch = patches.find(({ path, existing }) =>
    isPrefix(path, finding.path) ||
    (finding.path.length > existing && isPrefix(finding.path, path))
  );
  if (patch === undefined) return finding;
  const { blame, path } = patch;
  if ("flag" in blame) throw flagError(blame.flag, finding);
  // A mistake in a compared key is reported once, not for each of its values.
  const isAboutKey = finding.key === true && finding.path.length <= path.length;
  return {
    ...finding,
    path: isAboutKey
      ? blame.path.slice(0, -1)
      : [...blame.path, ...finding.path.slice(path.length)],
  };
}

function unique(findings: readonly Finding[]): Finding[] {
  const seen = new Map(findings.map((finding) => [
    JSON.stringify([finding.path, finding.message]),
    finding,
  ]));
  return [...seen.values()];
}

/** The data of the configuration that a scenario extends, or its mistakes. */
function baseConfig(
  data: unknown,
  files: StudyInputs["files"],
  read: Readonly<Record<string, YamlFile>>,
): { readonly data: unknown } | { readonly broken: UserError } {
  const path = isData(data) ? data.extends : undefined;
  if (typeof path !== "string") return { data: {} };
  const source = files[path];
  if (source === undefined) throw new UserError(`${path}: was not read`, { exitCode: 2 });
  try {
    const draft = new ConfigDraft(read[path] ?? new YamlFile(source));
    draft.conclude();
    return { data: draft.data };
  } catch (error) {
    if (error instanceof UserError) return { broken: error };
    throw error;
  }
}

/** The balancer's configuration: the extended one with the settings of the scenario. */
function balancerOf(
  data: unknown,
  base: unknown,
  places: Places = new Map(),
): { readonly config?: Config; readonly findings: readonly Finding[] } {
  const own = (isData(data) ? data.balancer : undefined) ?? {};
  const merged = merge(base, own);
  if (!isData(merged) || merged.backends === undefined) {
    return {
      findings: [{
        path: ["balancer"],
        key: true,
        message: "there are no backends",
        hint: "add `extends: config.yaml` or `balancer: {backends: 3}`",
      }],
    };
  }
  const switchedOn = Object.entries(merged).filter(([, value]) => value !== "off");
  const complete = {
    ...Object.fromEntries(switchedOn),
    limits: withLimit(merged.limits),
    backends: withAddresses(merged.backends, places),
  };
  const { value, findings } = validate(configSchema, complete, checkConfig);
  return {
    ...value !== undefined && { config: value },
    findings: findings.map((finding) => ({ ...finding, path: ["balancer", ...finding.path] })),
  };
}

/**
 * The default of config.yaml protects the balancer's processor and its file descriptors. A simulation models
 * neither, so its own default is higher.
 */
function withLimit(limits: unknown): unknown {
  const connections = 10_000;
  if (limits === undefined) return { connections };
  return isData(limits) ? { connections, ...limits } : limits;
}

/**
 * Numbers of backends by id. A backend that is configured again gets its earlier number, and so its earlier address.
 */
type Places = Map<unknown, number>;

function placeOf(id: unknown, places: Places): number {
  const place = places.get(id) ?? places.size;
  places.set(id, place);
  return place;
}

function asData(value: unknown): Readonly<Record<string, unknown>> {
  return isData(value) ? value : {};
}

/** `100` stands for B1 … B100. Backends of a simulation need no real addresses, so missing ones are filled in. */
function withAddresses(backends: unknown, places: Places): unknown {
  const list = typeof backends === "number"
    ? Array.from({ length: backends }, (_, i) => ({ id: `B${i + 1}` }))
    : backends;
  if (!Array.isArray(list)) return list;
  const address = (i: number) => `172.${16 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}:9000`;
  return list.map((item: unknown, i) =>
    isData(item) && item.address === undefined
      ? { ...item, address: address(placeOf(item.id ?? i, places)) }
      : item
  );
}

/** Finds mistakes in the file as a whole, which a schema cannot express. */
function checkScenario(data: unknown): Finding[] {
  if (!isData(data)) return [];
  const findings: Finding[] = [];
  const both = (a: string, b: string) => {
    if (data[a] === undefined || data[b] === undefined) return;
    findings.push({ path: [b], key: true, message: `${a} and ${b}: use only one of them` });
  };
  both("duration", "connections");
  both("replications", "precision");
  for (const key of isData(data.compare) ? Object.keys(data.compare) : []) {
    const path = parsePath(key);
    const [first] = path;
    if (path.includes(-1)) {
      findings.push({ path: ["compare", key], key: true, message: `"${key}": ${FROM_ONE}` });
    }
    if (COMPARABLE.includes(String(first))) continue;
    findings.push({
      path: ["compare", key],
      key: true,
      message: `"${key}" cannot be compared`,
      hint: didYouMean(String(first), COMPARABLE) ??
        `a path that begins with one of: ${COMPARABLE.join(", ")}`,
    });
  }
  const metric = isData(data.precision) ? data.precision.metric : undefined;
  if (typeof metric === "string" && !OF_RUN.includes(metric)) {
    findings.push({
      path: ["precision", "metric"],
      message: isMetric(metric)
        ? `${metric} is a metric of a backend, not of the whole run`
        : `unknown metric "${metric}"`,
      hint: didYouMean(metric, OF_RUN) ?? "use a metric of the whole run, like p99_ms",
    });
  } else if (typeof metric === "string" && metric.endsWith("max_ms")) {
    findings.push({
      path: ["precision", "metric"],
      message: `${metric} has no interval, because a maximum grows with the length of the run`,
      hint: `for example ${metric.replace("max", "p99")}`,
    });
  }
  return findings;
}

interface Combination {
  readonly patches: readonly Setting[];
  readonly settings: Readonly<Record<string, unknown>>;
}

/** All combinations of the compared settings; a single empty one if nothing is compared. */
function combinations({ compare = {} }: ScenarioFile): Combination[] {
  let all: Combination[] = [{ patches: [], settings: {} }];
  for (const [key, values] of Object.entries(compare)) {
    const path = parsePath(key);
    all = all.flatMap(({ patches, settings }) =>
      values.map((value, i): Combination => ({
        patches: [...patches, { path, value, blame: { path: ["compare", key, i] } }],
        settings: { ...settings, [key]: value },
      }))
    );
    if (all.length > VARIANTS_MAX) {
      throw new UserError(`compare makes more than ${VARIANTS_MAX} variants`, { exitCode: 2 });
    }
  }
  return all;
}

/** The labels of a variant; the algorithm, if nothing is compared. The label of a number names its setting. */
function labelsOf(settings: Readonly<Record<string, unknown>>, { algorithm }: Config): string[] {
  const entries = Object.entries(settings);
  if (entries.length === 0) return [algorithm.name];
  const paths = entries.map(([key]) => parsePath(key));
  return entries.map(([, value], i) => {
    const speaks = isData(value) || Array.isArray(value) || /^[a-z]/i.test(String(value));
    return speaks ? label(value) : `${shortest(paths[i]!, paths)}=${label(value)}`;
  });
}

/** The shortest part at the end of a path that distinguishes it from the other paths. */
function shortest(path: Path, paths: readonly Path[]): string {
  for (let length = 1; length < path.length; length++) {
    const end = path.slice(-length).join(".");
    if (paths.every((other) => other === path || other.slice(-length).join(".") !== end)) {
      return end;
    }
  }
  return path.join(".");
}

/** A setting in a few words: `{name: maglev, bounded_load: 1.25}` → `maglev bounded_load=1.25`. */
function label(value: unknown): string {
  if (Array.isArray(value)) return value.map(label).join("+");
  if (!isData(value)) return String(value);
  return Object.entries(value).map(([key, inner]) => {
    if (key === "name") return String(inner);
    return isData(inner) ? `${key} ${label(inner)}` : `${key}=${label(inner)}`;
  }).join(" ");
}

function wrongExpectations(file: ScenarioFile, variants: readonly Variant[]): Finding[] {
  return file.expect.flatMap((text, i): Finding[] => {
    const path = ["expect", i];
    try {
      const expectation = parseExpectation(text);
      // If there are no variants, the scenario has another mistake.
      if (variants.length === 0) return [];
      return unknownNames(expectation, variants).map((finding) => ({ ...finding, path }));
    } catch (error) {
      if (error instanceof SyntaxError) return [{ path, message: error.message }];
      throw error;
    }
  });
}

/** Finds names in an expectation that do not exist. Throws a {SyntaxError} for an ambiguous bound. */
function unknownNames(
  { left, right }: Expectation,
  variants: readonly Variant[],
): Omit<Finding, "path">[] {
  const terms = "term" in right ? [left, right.term] : [left];
  const labels = [...new Set(variants.flatMap((variant) => variant.labels))];
  const stranger = terms.flatMap(({ variant }) => variant).find((part) => !labels.includes(part));
  if (stranger !== undefined) {
    const names = variants.map(({ name }) => name);
    const hint = didYouMean(stranger, labels) ?? `one of: ${names.join("; ")}`;
    return [{ message: `there is no variant "${stranger}"`, hint }];
  }
  const meant = variantsMeant(left, variants);
  if (meant.length === 0) return [{ message: `there is no variant "${left.variant.join(", ")}"` }];
  const bounds = "term" in right
    ? meant.map((own) => counterpartOf(right.term, own, variants))
    : [];
  return [
    ...missingBackend(left, meant),
    ..."term" in right ? missingBackend(right.term, bounds) : [],
  ];
}

/** Finds a backend that a term names but that a variant does not have. */
function missingBackend(
  { backend }: MetricTerm,
  variants: readonly Variant[],
): Omit<Finding, "path">[] {
  if (backend === undefined) return [];
  const idsOf = ({ scenario }: Variant) => scenario.balancer.backends.map(({ id }) => id);
  const without = variants.find((variant) => !idsOf(variant).includes(backend));
  if (without === undefined) return [];
  const ids = [...new Set(variants.flatMap(idsOf))];
  if (ids.includes(backend)) {
    return [{
      message: `variant "${without.name}" has no backend "${backend}"`,
      hint:
        "write after the metric, in square brackets, which variants are meant: those that have this backend",
    }];
  }
  const hint = didYouMean(backend, ids) ?? `one of: ${ids.join(", ")}`;
  return [{ message: `there is no backend "${backend}"`, hint }];
}

function repetitionOf(
  { replications = DEFAULT_REPLICATIONS, precision }: ScenarioFile,
): Repetition {
  if (precision === undefined) return { replications };
  const { metric, relative, max_replications: maxReplications } = precision;
  return { metric: metric as MetricName, relative, maxReplications };
}

/** Reads each trace once for all variants. */
function traceReader(files: StudyInputs["files"]): (path: string) => Trace {
  const read = new Map<string, Trace>();
  return (path) => {
    const source = files[path];
    if (source === undefined) throw new UserError(`${path}: was not read`, { exitCode: 2 });
    const trace = read.get(path) ?? parseTrace(source);
    read.set(path, trace);
    return trace;
  };
}
