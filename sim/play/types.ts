/**
 * The messages between the page of the playground and its worker: plain data that can be sent to another thread. The
 * page sends a `Request` and gets one `Reply` with the same number; the worker sends an `Update` whenever something has
 * changed. Names carry their units; `_ms` without another word is virtual time from the start of the run.
 *
 * A run is a scenario's text, which contains the changes that the user has made. The worker keeps that text up to date
 * (`Opened.text`, `RunState.text`), so a link to the playground needs to hold only the text, the files that it names,
 * and the time.
 */
import type { ExplainedBackend, LbEvent, PickDetails } from "../../lib/core/mod.ts";
import type {
  Beliefs,
  Counts,
  Dots,
  Flows,
  Frame,
  Snapshot,
  Truth,
} from "../../lib/observe/mod.ts";

/** A named text. */
export interface TextFile {
  readonly file: string;
  readonly text: string;
}

/** Why something could not be done. */
export interface Problem {
  /** The words of the command line: one or several lines, for diagnostics with file, line and column. */
  readonly message: string;
  /** What would be right. */
  readonly hint?: string;
  /** The paths of files that the scenario names and that were not given. */
  readonly missing?: readonly string[];
  /** Whether a recording is damaged. The part before the damage can be opened. */
  readonly damaged?: boolean;
}

/** A variant. */
export interface VariantInfo {
  readonly name: string;
  readonly labels: readonly string[];
  /** At the start of the run. */
  readonly algorithm: string;
  /** The offered load at the start of the run, as a share of the capacity; null for a closed loop. */
  readonly load: number | null;
}

/** A setting that a form can change: its path, its value at the start of the run, and its possible values. */
export interface Control {
  readonly path: string;
  /** A heading for several controls: `load`, `algorithm`, `health checks`, … */
  readonly group: string;
  readonly label: string;
  /** One sentence. */
  readonly meaning: string;
  /** As in YAML: `80%`, `200ms`, `3`, `true`, `off`. Null if it is not set. */
  readonly value: unknown;
  readonly input:
    /** A text as in YAML, with an example. */
    | { readonly kind: "text"; readonly example: string }
    | {
      readonly kind: "number";
      readonly min: number;
      readonly max: number;
      readonly integer: boolean;
      readonly example: string;
    }
    | { readonly kind: "choice"; readonly options: readonly string[] }
    /** A switch, with the values for on and off. */
    | { readonly kind: "flag"; readonly on: unknown; readonly off: unknown };
  /** The algorithm that has this parameter; null for other settings. */
  readonly algorithm: string | null;
}

/** How a pick was decided. */
export interface Why {
  readonly variant: number;
  readonly balancer: number;
  readonly at_ms: number;
  readonly client: string;
  /** Null if no backend was available. */
  readonly backend: string | null;
  /** The rule that decided, and how a tie was broken. */
  readonly rule: string;
  readonly candidates: readonly ExplainedBackend[];
  /** The data of the algorithm at that moment: the ring, the table, the turns, the pool, the latencies. */
  readonly details: PickDetails | null;
}

/** A part of a session map. */
export interface Sessions {
  readonly count: number;
  readonly sessions: readonly {
    readonly client: string;
    readonly backend: string;
    readonly home: string;
    readonly connections: number;
    readonly used_at_ms: number;
  }[];
}

/** A change of the run: of settings, or a fault. It is part of the scenario, or was made by hand. */
export interface Intervention {
  readonly at_ms: number;
  /** When it ends; null if it has no end, or ends only by hand. */
  readonly until_ms: number | null;
  readonly text: string;
  /** The settings that it changes, by path; null for a fault. */
  readonly set: Readonly<Record<string, unknown>> | null;
}

/** A variant at one moment. */
export interface VariantFrame {
  /** For the dashboard's components: one balancer's view (see `show`). */
  readonly frame: Frame;
  /** About once a second, and after every seek and step. */
  readonly snapshot: Snapshot | null;
  /** The events since the previous update, oldest first: at most 200. Those of single connections are left out. */
  readonly events: readonly LbEvent[];
  /** Events that were dropped because there were too many. */
  readonly events_lost: number;
  readonly algorithm: string;
  readonly truth: Truth;
  readonly beliefs: readonly Beliefs[];
  readonly counts: Counts;
  /** Null if there are too many, or if the page does not show them. Then `flows` replace them. */
  readonly dots: Dots | null;
  /** The number of requests in progress, drawn or not. */
  readonly dots_total: number;
  readonly flows: Flows;
}

/** Statistics of all variants up to the present time. */
export interface Statistics {
  readonly variants: readonly VariantStatistics[];
  readonly verdict: Verdict;
}

/** Statistics of a variant. */
export interface VariantStatistics {
  /**
   * The complementary distribution of the sojourn time of requests that are done: `share[i]` of them took longer than
   * `latency_ms[i]`. For logarithmic axes. Both are empty if no request is done.
   */
  readonly ccdf: { readonly latency_ms: Float64Array; readonly share: Float64Array };
  /** The results of queueing theory if its assumptions are true; otherwise null, with the reason. */
  readonly theory: TheoryLines | null;
  readonly no_theory: string | null;
  /** Over all measured requests; NaN if there are none. */
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly mean_ms: number;
  /** Share of measured requests that ended in an error. */
  readonly errors: number;
  readonly series: Series;
}

/** Lines of theory. */
export interface TheoryLines {
  /** In the field's notation: `M/M/1`. */
  readonly model: string;
  readonly mean_ms: number | null;
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  /** The complementary distribution, where the model gives one. */
  readonly ccdf: { readonly latency_ms: Float64Array; readonly share: Float64Array } | null;
}

/**
 * Columns over time: entry i of each is the slice of time from `i × interval_ms`. Its length grows with the run. The
 * warm-up is included.
 */
export interface Series {
  readonly interval_ms: number;
  readonly length: number;
  /** Requests that ended in the slice. */
  readonly done: Float64Array;
  readonly errors: Float64Array;
  /** NaN: no request was done. */
  readonly p50_ms: Float64Array;
  readonly p99_ms: Float64Array;
  /** The backends of the heat map, at most 200. */
  readonly backends: number;
  /** The mean number of requests in flight: `slice × backends + backend`, in the order of `Truth.ids`. */
  readonly in_flight: Float32Array;
}

/** The better variant, and whether the difference is significant. */
export interface Verdict {
  /** One sentence. Empty if there is one variant only. */
  readonly sentence: string;
  /** Index of the best variant; null if the difference is not significant. */
  readonly leader: number | null;
  /** The number of batches that were compared. */
  readonly batches: number;
}

/** The state of the page's clock, and everything that is drawn. At most 60 a second. */
export interface Update {
  readonly kind: "update";
  readonly run: RunState;
  /** In the order of `Opened.variants`. */
  readonly variants: readonly VariantFrame[];
  /** About four times a second, and after every seek and step; null in between. */
  readonly statistics: Statistics | null;
}

/** The clock of the run. All variants share it. */
export interface RunState {
  /**
   * A number that increases with each opened text, each change and each jump in time. Drawings that grow over time
   * then begin again.
   */
  readonly epoch: number;
  readonly at_ms: number;
  /** The speed that was asked for. 0: paused. */
  readonly speed: number;
  /** The speed that is reached. */
  readonly actual_speed: number;
  /** The end of the time line. It grows if the run ends after a number of connections. */
  readonly length_ms: number;
  /** Whether all variants have ended. */
  readonly over: boolean;
  /** The events handled so far, over all variants. */
  readonly events: number;
  /** Whether the decisions of a recording are shown, and nothing is simulated. */
  readonly recorded: boolean;
  /** The run as text, with all interventions. Null if it is the same as in the previous message. */
  readonly text: string | null;
  /**
   * The changes of settings, then the faults, including those of the scenario. Null if they are the same as in the
   * previous message.
   */
  readonly interventions: readonly Intervention[] | null;
  /** While the shown data are computed: the progress, from 0 to 1; otherwise null. */
  readonly progress: number | null;
}

/** A message to the worker. Its `request` number comes back in the reply. */
export type Request = { readonly request: number } & Command;

/** The commands of the page. */
export type Command =
  /** Opens a text instead of the present one. Reply: `Opened`. */
  | OpenCommand
  | OpenRecordingCommand
  /**
   * Shows the decisions of the open recording again, at the present time, instead of a simulation of its traffic.
   * Reply: `Opened`.
   */
  | { readonly kind: "replay" }
  /**
   * How fast time passes: virtual seconds per second of the wall clock; 0 pauses. If the worker is too slow for this
   * speed, `RunState.actual_speed` shows the real one. Reply: `null`.
   */
  | { readonly kind: "speed"; readonly speed: number }
  /**
   * Pauses, and moves on to the next event of any variant, the next pick of a balancer, or the next time that a balancer
   * marks a backend as up or down (or ejects or readmits it). Reply: `Stepped`. An `Update` with the frames follows.
   */
  | { readonly kind: "step"; readonly to: "event" | "pick" | "health" }
  /** Moves to a time, forward or back; the speed stays. Reply: `null`, after the frames of that time were sent. */
  | { readonly kind: "seek"; readonly at_ms: number }
  /**
   * Changes settings now, in all variants, by their paths in a scenario (`balancer.algorithm`,
   * `workload.arrivals.load`, `balancer.backends.B2.weight`, `servers.B2.speed`). A text is read as YAML. Everything is
   * checked first: on a mistake the request fails with the same words as on the command line, and nothing has changed.
   * Reply: `Changed`.
   */
  | { readonly kind: "change"; readonly set: Readonly<Record<string, unknown>> }
  | AddBackend
  /** Removes a backend from the balancers' configuration; its connections finish. Reply: `Changed`. */
  | { readonly kind: "remove backend"; readonly id: string }
  /**
   * Begins a fault of a backend now (or, `lb-restart`, of a balancer), until `repair`, or for `for_s` seconds. `fault`
   * is the `kind` of a fault in a scenario: `crash`, `{slow: 5}`, … Reply: `Changed`.
   */
  | {
    readonly kind: "break";
    readonly backend?: string;
    readonly fault: unknown;
    /** From 1; only for `partition` and `lb-restart`. */
    readonly load_balancer?: number;
    readonly for_s?: number;
  }
  /** Ends all present faults of a backend now; without an id, those of all backends. Reply: `Changed`. */
  | { readonly kind: "repair"; readonly backend?: string }
  /**
   * Removes changes by hand: the entry at this place of `RunState.interventions`, or everything if left out. The run
   * is computed again up to the present time. Reply: `Changed`.
   */
  | { readonly kind: "withdraw"; readonly index?: number }
  /**
   * Compares variants, which replace the present ones, for example `{"balancer.algorithm": ["maglev", "prequal"]}`;
   * an empty object leaves one variant. At most three variants are run. The run is computed again up to the present
   * time. Reply: `Opened`.
   */
  | { readonly kind: "compare"; readonly compare: Readonly<Record<string, readonly unknown[]>> }
  /** Another seed; the run begins again. Reply: `Opened`. */
  | { readonly kind: "seed"; readonly seed: number }
  /**
   * Explains a pick: the one that sent a dot to its backend (`dot` is `Dots.number`), or the last one before or at the
   * present time. Reply: `Why`; `null` if there was no pick yet.
   */
  | { readonly kind: "why"; readonly variant: number; readonly dot?: number }
  /** The backend that a client with this address would get now, as `FrameSource.explain` asks. Reply: `Why`. */
  | { readonly kind: "explain"; readonly variant: number; readonly client: string }
  /** The session map of a balancer, as `FrameSource.sessions` asks. Reply: `Sessions`. */
  | {
    readonly kind: "sessions";
    readonly variant: number;
    readonly limit: number;
    readonly client?: string;
  }
  /**
   * The run as files, with the digest that `lbsim sim` prints for them. It completes the run in the background, so the
   * reply may take long; `Progress` messages come before it. Reply: `Exported`.
   */
  | { readonly kind: "export" }
  /** Ends an export that is in progress: it fails. Reply: `null`. */
  | { readonly kind: "cancel export" }
  /** The numbers of the series as CSV, up to the present time. Reply: `{text}`. */
  | { readonly kind: "csv" }
  /**
   * Sets the data that the page shows. Reply: `null`. All are on at the start; dots, statistics and events that the
   * page does not show need not be computed.
   */
  | {
    readonly kind: "show";
    readonly dots?: boolean;
    readonly statistics?: boolean;
    /** The largest number of dots of a variant. If there are more, only flows are sent. 2000 at the start. */
    readonly dots_max?: number;
    /** The balancer whose view the dashboard's frames and snapshots show, from 0. */
    readonly balancer?: number;
    /** The largest number of frames per second, at most 60. */
    readonly frames_per_s?: number;
  };

/**
 * Adds a backend to all balancers, with settings as in `balancer.backends` and `servers` of a scenario. Reply: `Changed`.
 */
export interface AddBackend {
  readonly kind: "add backend";
  /** Left out: the next free name, B4 after B3. */
  readonly id?: string;
  readonly backend?: Readonly<Record<string, unknown>>;
  readonly server?: Readonly<Record<string, unknown>>;
}

/** Opens a text. */
export interface OpenCommand {
  readonly kind: "open";
  /**
   * A scenario, or a config.yaml, which becomes a scenario with the default workload. Its `file` is the name that
   * diagnostics show.
   */
  readonly source: TextFile;
  /**
   * Files that the scenario may name (`extends: config.yaml`, `trace: visits.csv`), by the path that it uses. If one is
   * missing, the request fails with `missing`.
   */
  readonly files?: Readonly<Record<string, TextFile>>;
  /** Settings as after `--set`. */
  readonly set?: readonly string[];
  /** Where to begin, in virtual time. 0 if left out. */
  readonly at_ms?: number;
}

/**
 * Opens a recording of `lbsim lb --record`. Its decisions are repeated and shown; a change of settings simulates its
 * traffic with other settings. Reply: `Opened`.
 */
export interface OpenRecordingCommand {
  readonly kind: "open recording";
  /** The files of the recording, in any order, each under its own name: `run.jsonl`, `run.jsonl.1`, … */
  readonly parts: readonly TextFile[];
  /** Whether the part before the first damage is used, instead of refusing a damaged recording. */
  readonly until_damage?: boolean;
  readonly at_ms?: number;
}

/** The result of reading a recording. */
export interface RecordingInfo {
  /** The name of its newest file. */
  readonly file: string;
  /** The files that were read, in the order in which they were written. */
  readonly files: readonly string[];
  /** The output of `lbsim sim --replay --json`. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Whether the replay makes the same decisions: the lines that the command line prints. */
  readonly result: readonly string[];
  /** The assumptions of a simulation of its traffic, one sentence each. */
  readonly assumptions: readonly string[];
}

/** A message from the worker. */
export type Message = Reply | Update | Started | Progress;

/** How much of a request is done, from 0 to 1. Its reply comes later. */
export interface Progress {
  readonly kind: "progress";
  readonly request: number;
  readonly share: number;
}

/** The first message of the worker: it is ready. */
export interface Started {
  readonly kind: "started";
  readonly protocol: number;
  readonly version: string;
}

/** The answer to a request. */
export type Reply =
  | { readonly kind: "reply"; readonly request: number; readonly result: Result }
  /** The request failed. */
  | { readonly kind: "failed"; readonly request: number; readonly problem: Problem };

/** The result of a command: `Command` states which command has which result. */
export type Result =
  | null
  | Opened
  | Stepped
  | Changed
  | Why
  | Sessions
  | Exported
  | { readonly text: string };

/** The opened run. */
export interface Opened {
  /** The whole run as a scenario, in YAML. */
  readonly text: string;
  /** The files that it names. */
  readonly files: Readonly<Record<string, TextFile>>;
  /** Whether the text was a config.yaml. */
  readonly was_config: boolean;
  /** The recording that is open; null if there is none. */
  readonly recording: RecordingInfo | null;
  readonly title: string | null;
  /** A text that tells the reader what to look at. */
  readonly watch: string | null;
  readonly source: readonly string[];
  /** What is simulated, in a few sentences, as `lbsim sim` describes it. */
  readonly description: string;
  readonly seed: number;
  /** When clients stop; null if the run ends after a number of connections. */
  readonly duration_ms: number | null;
  /** The number of connections after which clients stop; null if the run ends after a time. */
  readonly connections: number | null;
  /** When measuring begins. */
  readonly warmup_ms: number;
  readonly variants: readonly VariantInfo[];
  /** All variants of the text; if there are more than three, the first three are run. */
  readonly variant_names: readonly string[];
  readonly clients: number;
  readonly load_balancers: number;
  /** The settings of each backend at the start of the run. */
  readonly backends: readonly {
    readonly id: string;
    readonly weight: number;
    readonly speed: number;
  }[];
  /** The compared settings, by path, as written in the scenario. */
  readonly compare: Readonly<Record<string, readonly unknown[]>>;
  /** The expectations of the scenario, as written. */
  readonly expect: readonly string[];
  /** The settings that can be changed during the run. */
  readonly controls: readonly Control[];
}

/** The result of a step. */
export interface Stepped {
  readonly at_ms: number;
  /** The event in words; null if the run is over. */
  readonly text: string | null;
  /** The variant in which it happened. */
  readonly variant: number | null;
  /** For a step to a pick: its explanation. */
  readonly why: Why | null;
}

/** The result of a change, which is now part of the run. */
export interface Changed {
  readonly at_ms: number;
  /** The change in words. */
  readonly text: string;
}

/** The run as files. */
export interface Exported {
  /** The scenario for `lbsim sim`. */
  readonly text: string;
  readonly files: Readonly<Record<string, TextFile>>;
  /**
   * The digest that `lbsim sim` prints for that text, 64 hexadecimal digits. To compute it, the run was completed in
   * the background.
   */
  readonly digest: string;
}
