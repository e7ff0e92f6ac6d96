/** The run as a text: a scenario that contains all changes that the user has made. */
import { Document, isMap, isSeq, parseDocument, stringify } from "yaml";
import {
  formatDuration,
  type Nanoseconds,
  NS_PER_MS,
  parseDuration,
  UserError,
} from "../../lib/base/mod.ts";
import { isData, YamlFile } from "../../lib/config/mod.ts";
import { parseStudy, ScenarioDraft, type Study } from "../../lib/scenario/mod.ts";
import type { Intervention, TextFile } from "./types.ts";

/** The largest number of variants that run side by side. */
export const VARIANTS_MAX = 3;

type Files = Readonly<Record<string, TextFile>>;

/** A file that a scenario names was not given. */
export class MissingFiles extends UserError {
  readonly paths: readonly string[];

  constructor(paths: readonly string[]) {
    super(`the scenario names files that were not given: ${paths.join(", ")}`, {
      exitCode: 2,
      hint: "drop them on the page together with the scenario",
    });
    this.paths = paths;
  }
}

/** A scenario's text and its meaning. Every change returns another document; this one stays. */
export class RunDocument {
  readonly file: string;
  readonly text: string;
  readonly files: Files;
  readonly wasConfig: boolean;
  readonly study: Study;
  /** The comparison in the text that was opened. Perhaps not all of its variants are run. */
  readonly offered: Readonly<Record<string, readonly unknown[]>>;
  /** All variants of the text that was opened. */
  readonly offeredNames: readonly string[];

  private constructor(
    fields: Pick<RunDocument, "file" | "text" | "files" | "wasConfig"> & {
      readonly offered?: RunDocument["offered"];
      readonly offeredNames?: readonly string[];
    },
  ) {
    const { file, text, files } = fields;
    this.file = file;
    this.files = files;
    this.wasConfig = fields.wasConfig;
    const study = parseStudy({ scenario: { file, text }, files, set: [] });
    this.offered = fields.offered ?? compareOf(text);
    this.offeredNames = fields.offeredNames ?? study.variants.map(({ name }) => name);
    if (study.variants.length <= VARIANTS_MAX) {
      this.text = text;
      this.study = study;
      return;
    }
    this.text = withComparison(text, shortened(compareOf(text)));
    this.study = parseStudy({ scenario: { file, text: this.text }, files, set: [] });
  }

  /**
   * Reads a scenario, or a config.yaml.
   *
   * @throws {DiagnosticsError} with everything that is wrong in it; {MissingFiles}.
   */
  static open(source: TextFile, files: Files, set: readonly string[]): RunDocument {
    const yaml = new YamlFile(source);
    if (isData(yaml.data) && "backends" in yaml.data) {
      const text = `extends: ${JSON.stringify(source.file)}\nduration: 1m\n`;
      const document = new RunDocument({
        file: "playground.yaml",
        text,
        files: { ...files, [source.file]: source },
        wasConfig: true,
      });
      return set.length === 0 ? document : document.withSettings(set);
    }
    const draft = new ScenarioDraft(yaml, set);
    const named = draft.files.map(({ path }) => path);
    const missing = named.filter((path) => files[path] === undefined);
    if (missing.length > 0) throw new MissingFiles(missing);
    const own = Object.fromEntries(named.map((path) => [path, files[path]!]));
    const { file, text } = source;
    const document = new RunDocument({ file, text, files: own, wasConfig: false });
    return set.length === 0 ? document : document.withSettings(set);
  }

  /** The document with settings as after `--set`. */
  withSettings(set: readonly string[]): RunDocument {
    // Reports mistakes as the command line does.
    parseStudy({ scenario: this, files: this.files, set });
    const { data } = new ScenarioDraft(new YamlFile(this), set);
    return this.#with(textOf(new Document(data)));
  }

  /**
   * The document with another comparison. The expectations are removed, because they may name variants that no longer
   * exist.
   */
  withComparison(compare: Readonly<Record<string, readonly unknown[]>>): RunDocument {
    return this.#with(withComparison(this.text, compare));
  }

  withSeed(seed: number): RunDocument {
    return this.#edited((document) => document.set("seed", seed));
  }

  /** The document with settings that change at a time. */
  withChange(at: Nanoseconds, set: Readonly<Record<string, unknown>>): RunDocument {
    return this.#edited((document) => append(document, "changes", { at: inNanoseconds(at), set }));
  }

  /** The document with a fault that begins at a time. */
  withFault(at: Nanoseconds, fault: Readonly<Record<string, unknown>>): RunDocument {
    return this.#edited((document) =>
      append(document, "faults", { at: inNanoseconds(at), ...fault })
    );
  }

  /**
   * The document in which the faults of a backend, or all faults, end at a time.
   *
   * @throws {UserError} if there is none.
   */
  withoutFaultsFrom(at: Nanoseconds, backend: string | undefined): RunDocument {
    let count = 0;
    const faults = this.list("faults").flatMap((fault) => {
      const begins = parseDuration(String(fault.at));
      const ends = fault.for === undefined ? Infinity : begins + parseDuration(String(fault.for));
      const own = [fault.backend ?? []].flat();
      const isMeant = backend === undefined || own.includes(backend);
      if (!isMeant || begins >= at || ends <= at) return [fault];
      count++;
      const ended = { ...fault, for: inNanoseconds(at - begins) };
      const others = own.filter((id) => id !== backend);
      if (backend === undefined || others.length === 0) return [ended];
      return [{ ...ended, backend }, { ...fault, backend: others }];
    });
    if (count === 0) {
      const whose = backend === undefined ? "no backend has" : `${backend} does not have`;
      throw new UserError(`${whose} a fault at this time`, { exitCode: 2 });
    }
    return this.withList("faults", faults);
  }

  /**
   * The document without one of the interventions, or without all of them.
   *
   * @param index Its place in `interventions`.
   */
  withoutIntervention(index: number | undefined): RunDocument {
    if (index === undefined) return this.withList("changes", []).withList("faults", []);
    const changes = this.list("changes");
    if (!Number.isInteger(index) || index < 0) {
      throw new UserError(`there is no change number ${index + 1}`, { exitCode: 2 });
    }
    if (index < changes.length) return this.withList("changes", changes.toSpliced(index, 1));
    const faults = this.list("faults");
    const place = index - changes.length;
    if (place >= faults.length) {
      throw new UserError(`there is no change number ${index + 1}`, { exitCode: 2 });
    }
    return this.withList("faults", faults.toSpliced(place, 1));
  }

  /** The document with other entries of a list. */
  withList(key: "changes" | "faults", entries: readonly unknown[]): RunDocument {
    return this.#edited((document) => {
      document.delete(key);
      for (const entry of entries) append(document, key, entry);
    });
  }

  /** The changes during the run, and then the faults. */
  get interventions(): readonly Intervention[] {
    return [
      ...this.list("changes").map((change): Intervention => ({
        at_ms: parseDuration(String(change.at)) / NS_PER_MS,
        until_ms: null,
        text: Object.entries(isData(change.set) ? change.set : {})
          .map(([path, value]) => `${path}: ${inShort(value)}`).join("; "),
        set: isData(change.set) ? change.set : {},
      })),
      ...this.list("faults").map((fault): Intervention => {
        const at = parseDuration(String(fault.at)) / NS_PER_MS;
        return {
          at_ms: at,
          until_ms: fault.for === undefined
            ? null
            : at + parseDuration(String(fault.for)) / NS_PER_MS,
          text: `${[fault.backend ?? "load balancer"].flat().join(", ")}: ${inShort(fault.kind)}`,
          set: null,
        };
      }),
    ];
  }

  /** The entries of a list, in the notation of the text. */
  list(key: "changes" | "faults"): readonly Readonly<Record<string, unknown>>[] {
    const list = parseDocument(this.text).toJS()?.[key];
    return Array.isArray(list) ? list : [];
  }

  /** The text for `lbsim sim`. Like the page, it makes one run of each variant. */
  exported(): RunDocument {
    return this.#edited((document) => {
      document.delete("precision");
      document.set("replications", 1);
    });
  }

  #edited(edit: (document: Document) => void): RunDocument {
    const document = parseDocument(this.text) as unknown as Document;
    edit(document);
    return this.#with(textOf(document));
  }

  #with(text: string): RunDocument {
    const { file, files, wasConfig, offered, offeredNames } = this;
    return new RunDocument({ file, text, files, wasConfig, offered, offeredNames });
  }
}

/** A time in nanoseconds. A decimal number of seconds could not be read back exactly. */
function inNanoseconds(time: Nanoseconds): string {
  return time % NS_PER_MS === 0 ? formatDuration(time) : `${time}ns`;
}

function append(document: Document, key: string, entry: unknown): void {
  const node = document.createNode(entry, { flow: true });
  const list = document.get(key);
  if (isSeq(list)) list.add(node);
  else document.set(key, document.createNode([node]));
}

function textOf(document: Document): string {
  return document.toString({ lineWidth: 110, flowCollectionPadding: false });
}

function compareOf(text: string): RunDocument["offered"] {
  const compare = parseDocument(text).toJS()?.compare;
  return isData(compare) ? compare as RunDocument["offered"] : {};
}

function withComparison(text: string, compare: RunDocument["offered"]): string {
  const document = parseDocument(text) as unknown as Document;
  document.delete("expect");
  if (Object.keys(compare).length === 0) document.delete("compare");
  else document.set("compare", document.createNode(compare, { flow: true }));
  if (isMap(document.contents)) document.contents.flow = false;
  return textOf(document);
}

/**
 * Leaves out values until there are at most `VARIANTS_MAX` variants. The setting with the most values keeps as many as
 * possible: if two algorithms are compared, each with one, four and sixteen balancers, one algorithm remains with all
 * three numbers of balancers.
 */
function shortened(compare: RunDocument["offered"]): RunDocument["offered"] {
  const kept = { ...compare };
  let left = VARIANTS_MAX;
  for (const [key, values] of Object.entries(compare).sort(([, a], [, b]) => b.length - a.length)) {
    kept[key] = values.slice(0, left);
    left = Math.max(1, Math.floor(left / kept[key].length));
  }
  return kept;
}

/** A value in YAML, on one line. */
function inShort(value: unknown): string {
  if (typeof value === "string") return value;
  return stringify(value, { collectionStyle: "flow", lineWidth: 0 }).trim();
}
