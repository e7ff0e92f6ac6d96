import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import type { BackendMode } from "../../lib/core/mod.ts";
import type { WrittenFault } from "../../lib/fault/mod.ts";
import { CONDITIONS } from "../../lib/observe/frame.ts";
import type { BackendSnapshot, Frame } from "../../lib/observe/mod.ts";
import { usePage } from "./context.ts";
import { formatAge, formatMs, formatNumber, formatShare } from "./format.ts";
import { SIGNS, strokeOf } from "./palette.ts";

/** A backend: its settings and totals are from the snapshot, values that change fast from the frame. */
interface Shown {
  readonly backend: BackendSnapshot;
  readonly index: number;
  readonly condition: BackendSnapshot["condition"];
  readonly inFlight: number;
  /** The length of the bar, from 0 to 1. */
  readonly fill: number;
  readonly perS: number;
  readonly now_ms: number;
}

export function Backends() {
  const { dashboard, view } = usePage();
  const snapshot = dashboard.snapshot.value;
  const frame = dashboard.frame.value;
  const shown = snapshot === undefined ? [] : shownOf(snapshot.backends, frame, snapshot.at_ms);
  return (
    <section id="backends" tabIndex={-1} aria-labelledby="backends-title">
      <div class="heading">
        <h2 id="backends-title">Backends</h2>
        <div class="choice" role="group" aria-label="Show backends as">
          {(["cards", "table"] as const).map((kind) => (
            <button
              key={kind}
              type="button"
              aria-pressed={view.backends.value === kind}
              onClick={() => view.backends.value = kind}
            >
              {kind === "cards" ? "Cards" : "Table"}
            </button>
          ))}
        </div>
      </div>
      {view.backends.value === "table" ? <Table shown={shown} /> : (
        <ul class="cards">
          {shown.map((one) => <Card key={one.backend.id} {...one} />)}
        </ul>
      )}
    </section>
  );
}

function shownOf(
  backends: readonly BackendSnapshot[],
  frame: Frame | undefined,
  now_ms: number,
): Shown[] {
  const most = Math.max(1, ...frame?.backend_in_flight ?? []);
  return backends.map((backend) => {
    const index = frame?.backends.indexOf(backend.id) ?? -1;
    const inFlight = frame?.backend_in_flight[index] ?? backend.in_flight;
    return {
      backend,
      index: index < 0 ? backends.indexOf(backend) : index,
      condition: CONDITIONS[frame?.condition[index] ?? -1] ?? backend.condition,
      inFlight,
      fill: Math.min(1, inFlight / (backend.limit ?? most)),
      perS: frame?.opened_per_s[index] ?? backend.opened_per_s,
      now_ms: Math.max(now_ms, frame?.at_ms ?? 0),
    };
  });
}

function Card(shown: Shown) {
  const { isDark } = usePage();
  const { backend, condition, inFlight, fill, perS, now_ms, index } = shown;
  const { id, health, wish } = backend;
  const title = useId();
  return (
    <li class="card" aria-labelledby={title} data-backend={id} data-condition={condition}>
      <div class="card-title">
        <svg class="swatch" width="22" height="10" aria-hidden="true">
          <line
            x1="0"
            y1="5"
            x2="22"
            y2="5"
            stroke={strokeOf(index, isDark.value).colour}
            stroke-width="4"
            stroke-dasharray={strokeOf(index, isDark.value).dash.join(" ")}
          />
        </svg>
        <h3 id={title}>{id}</h3>
        <span class="muted">{backend.address}{backend.tier === "backup" && " · backup"}</span>
        <Condition condition={condition} />
      </div>
      <dl class="sides">
        <div>
          <dt>Health</dt>
          <dd>
            <strong>{health.state}</strong> <small>for {formatAge(now_ms - health.since_ms)}</small>
            <LastProbe {...shown} />
          </dd>
        </div>
        <div>
          <dt>Wish</dt>
          <dd>
            <strong>{wish.state}</strong> <small>for {formatAge(now_ms - wish.since_ms)}</small>
            <FileDifference backend={backend} />
          </dd>
        </div>
      </dl>
      <div class="bar-line">
        <span>In flight</span>
        <Bar id={id} inFlight={inFlight} fill={fill} />
        <strong class="in-flight">{formatNumber(inFlight)}</strong>
        <small>
          {backend.limit === null
            ? `most ${formatNumber(backend.in_flight_max)}`
            : `of ${formatNumber(backend.limit)}`}
        </small>
      </div>
      <dl class="numbers">
        <Fact name="Per second" value={formatNumber(perS)} />
        <Fact name="Share" value={formatShare(backend.recent_share)} />
        <Fact name="First byte p50" value={formatMs(backend.first_byte.p50_ms)} />
        <Fact name="p99" value={formatMs(backend.first_byte.p99_ms)} />
        <Fact name="Connects failed" value={formatNumber(backend.connects_failed)} />
        <Fact
          name="Times down"
          value={formatNumber(health.times_down)}
          more={health.times_down > 0 ? formatAge(health.down_ms) : undefined}
        />
      </dl>
      <Actions backend={backend} />
    </li>
  );
}

function Condition({ condition }: { readonly condition: Shown["condition"] }) {
  return (
    <span class={`condition ${condition}`}>
      <span aria-hidden="true">{SIGNS[condition]}</span> {condition}
    </span>
  );
}

function Fact({ name, value, more }: {
  readonly name: string;
  readonly value: string;
  readonly more?: string | undefined;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}{more && <small>{more}</small>}</dd>
    </div>
  );
}

/** Connections in flight, relative to the backend's limit or to the busiest backend. */
function Bar({ id, inFlight, fill }: {
  readonly id: string;
  readonly inFlight: number;
  readonly fill: number;
}) {
  return (
    <div
      class="bar"
      role="meter"
      aria-label={`In flight on ${id}`}
      aria-valuenow={Math.round(100 * fill)}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuetext={`${inFlight} in flight`}
    >
      <div style={{ width: `${100 * fill}%` }} />
    </div>
  );
}

function LastProbe({ backend, now_ms }: Shown) {
  const probe = backend.health.last_probe;
  if (probe === null) return <small class="line">not probed yet</small>;
  return (
    <small class="line">
      {formatAge(now_ms - probe.at_ms)} ago: {probe.ok ? "✓" : "✕"} {probe.text} in{" "}
      {formatMs(probe.duration_ms)}
    </small>
  );
}

function FileDifference({ backend }: { readonly backend: BackendSnapshot }) {
  const { wish, weight, effective_weight } = backend;
  const parts = [
    `weight ${weight}`,
    ...effective_weight < weight && effective_weight > 0
      ? [`now ${formatNumber(effective_weight)}: slow start`]
      : [],
    ...wish.state === wish.file_state ? [] : [`file: ${wish.file_state}`],
    ...weight === wish.file_weight ? [] : [`file: weight ${wish.file_weight}`],
  ];
  return <small class="line">{parts.join(" · ")}</small>;
}

const STATES: readonly (readonly [state: BackendMode, label: string])[] = [
  ["ready", "Ready"],
  ["drain", "Drain"],
  ["maintenance", "Maintenance"],
];

/** The buttons with which the operator changes a backend. */
function Actions({ backend }: { readonly backend: BackendSnapshot }) {
  const { dashboard } = usePage();
  const { id, wish, weight } = backend;
  if (dashboard.source.operator === undefined) return null;
  const isWished = wish.state !== wish.file_state || weight !== wish.file_weight;
  return (
    <div class="actions">
      <div class="choice" role="group" aria-label={`What ${id} is to do`}>
        {STATES.map(([state, label]) => (
          <button
            key={state}
            type="button"
            aria-label={`${label} ${id}`}
            aria-pressed={wish.state === state}
            onClick={() =>
              dashboard.operate(`${id} ${state}`, (operator) => operator.setState(id, state))}
          >
            {label}
          </button>
        ))}
      </div>
      <Weight id={id} weight={weight} />
      {isWished && (
        <button
          type="button"
          aria-label={`As the file says: ${id}`}
          onClick={() =>
            dashboard.operate(`${id} as the file says`, (operator) => operator.withdraw(id))}
        >
          As the file says
        </button>
      )}
      {backend.fault !== undefined && <Faults id={id} fault={backend.fault} />}
    </div>
  );
}

function Weight({ id, weight }: { readonly id: string; readonly weight: number }) {
  const { dashboard } = usePage();
  const set = (next: number) =>
    dashboard.operate(`${id} weight ${next}`, (operator) => operator.setWeight(id, next));
  return (
    <form
      class="weight"
      onSubmit={(event) => {
        event.preventDefault();
        const input = event.currentTarget.querySelector("input")!;
        if (input.value !== "") void set(input.valueAsNumber);
      }}
    >
      <label>
        Weight{" "}
        <input
          key={weight}
          type="number"
          min={0}
          max={256}
          step={1}
          required
          aria-label={`Weight of ${id}`}
          defaultValue={String(weight)}
        />
      </label>
      <button type="submit" aria-label={`Set the weight of ${id}`}>Set</button>
    </form>
  );
}

/** The kinds of faults, in the notation of scenarios. */
const FAULTS: readonly (readonly [kind: WrittenFault, label: string])[] = [
  ["crash", "crash"],
  ["hang", "hang: answers nothing"],
  ["pause", "pause: accepts, but does not answer"],
  [{ slow: 5 }, "slow: takes 5 times as long"],
  [{ slow: 50 }, "slow: takes 50 times as long"],
  [{ "fail-rate": "30%" }, "fail-rate: 30 % of requests fail"],
  [{ "fast-errors": "100%" }, "fast-errors: all requests fail at once"],
  [{ gray: { rate: "30%", slow: 2 } }, "gray: requests fail or are slow, but probes succeed"],
  ["refuse", "refuse: new connections are refused"],
  ["reset", "reset: connections are reset"],
  [{ flap: { period: "10s", down: "50%" } }, "flap: crashes and returns every 10 s"],
];
const FAULT_S = [10, 30, 60, 300];

/** The faults that a backend has, and the controls that begin and end them. */
function Faults({ id, fault }: { readonly id: string; readonly fault: string | null }) {
  const { dashboard } = usePage();
  const isOpen = useSignal(false);
  const opener = useRef<HTMLButtonElement>(null);
  const form = useId();
  const close = () => {
    isOpen.value = false;
    opener.current?.focus();
  };
  return (
    <>
      <button
        ref={opener}
        type="button"
        aria-label={`Hurt ${id}`}
        aria-expanded={isOpen.value}
        aria-controls={isOpen.value ? form : undefined}
        onClick={() => isOpen.value = !isOpen.value}
      >
        Hurt…
      </button>
      {fault !== null && (
        <span class="fault">
          <span>
            <span aria-hidden="true">⚡</span> Fault: <strong>{fault}</strong>
          </span>
          <button
            type="button"
            aria-label={`End the fault of ${id}`}
            onClick={() =>
              dashboard.operate(`end the fault of ${id}`, (operator) => operator.endFaults(id))}
          >
            End the fault
          </button>
        </span>
      )}
      {isOpen.value && <Hurt id={id} form={form} close={close} />}
    </>
  );
}

function Hurt({ id, form, close }: {
  readonly id: string;
  readonly form: string;
  readonly close: () => void;
}) {
  const { dashboard } = usePage();
  const first = useRef<HTMLSelectElement>(null);
  useEffect(() => first.current?.focus(), []);
  const hurt = async (index: number, duration_s: number) => {
    const [kind, label] = FAULTS[index]!;
    const [name] = label.split(":");
    const done = await dashboard.operate(
      `${id} ${name} for ${duration_s} s`,
      (operator) => operator.hurt(id, { kind, duration_s }),
    );
    if (done) close();
  };
  return (
    <form
      id={form}
      class="hurt"
      aria-label={`Hurt ${id}`}
      onKeyDown={(event) => {
        if (event.key === "Escape") close();
      }}
      onSubmit={(event) => {
        event.preventDefault();
        const [kind, duration] = [...event.currentTarget.querySelectorAll("select")];
        void hurt(Number(kind!.value), Number(duration!.value));
      }}
    >
      <label>
        Fault{" "}
        <select ref={first}>
          {FAULTS.map(([_, label], i) => <option key={label} value={i}>{label}</option>)}
        </select>
      </label>
      <label>
        for{" "}
        <select>
          {FAULT_S.map((s) => <option key={s} value={s} selected={s === 30}>{s} s</option>)}
        </select>
      </label>
      <button type="submit" class="danger">Hurt {id}</button>
      <button type="button" onClick={close}>Cancel</button>
    </form>
  );
}

function Table({ shown }: { readonly shown: readonly Shown[] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Backends as a table">
      <table>
        <thead>
          <tr>
            {["Backend", "Condition", "Health", "Last probe", "Wish"].map((head) => (
              <th key={head} scope="col">{head}</th>
            ))}
            {["In flight", "Per second", "Share", "p50", "p99", "Failed connects", "Times down"]
              .map((head) => <th key={head} scope="col" class="number">{head}</th>)}
            <th scope="col">Change</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((one) => {
            const { backend, condition, inFlight, fill, perS, now_ms } = one;
            const { id, health, wish } = backend;
            return (
              <tr key={id} data-backend={id} data-condition={condition}>
                <th scope="row">{id}</th>
                <td>
                  <Condition condition={condition} />
                </td>
                <td>{health.state} for {formatAge(now_ms - health.since_ms)}</td>
                <td>
                  <LastProbe {...one} />
                </td>
                <td>
                  {wish.state} for {formatAge(now_ms - wish.since_ms)}
                  <FileDifference backend={backend} />
                </td>
                <td class="number">
                  <span class="in-flight">{formatNumber(inFlight)}</span>
                  <Bar id={id} inFlight={inFlight} fill={fill} />
                </td>
                <td class="number">{formatNumber(perS)}</td>
                <td class="number">{formatShare(backend.recent_share)}</td>
                <td class="number">{formatMs(backend.first_byte.p50_ms)}</td>
                <td class="number">{formatMs(backend.first_byte.p99_ms)}</td>
                <td class="number">{formatNumber(backend.connects_failed)}</td>
                <td class="number">{formatNumber(health.times_down)}</td>
                <td>
                  <Actions backend={backend} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
