import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { BackendCondition } from "../../lib/core/mod.ts";
import { CONDITIONS } from "../../lib/observe/frame.ts";
import { formatNumber, SIGNS } from "../dashboard/mod.ts";
import { useShared } from "./context.ts";
import { FAULTS } from "./faults.ts";
import { isHurt } from "./playground.ts";

/** The effect of a click on a backend, and the settings of each backend. */
export function BackendsPanel() {
  const { playground } = useShared();
  const { chosenFault, faultValues } = playground;
  const fault = FAULTS.find(({ name }) => name === chosenFault.value)!;
  const frame = playground.frames.value[playground.variant.value] ?? playground.frames.value[0];
  const balancers = playground.opened.value?.load_balancers ?? 1;
  const atStart = new Map(playground.opened.value?.backends.map((one) => [one.id, one]));
  if (frame === undefined) return null;
  const { truth, beliefs } = frame;
  return (
    <section aria-labelledby="backends-title" id="backends" tabIndex={-1}>
      <div class="heading">
        <h2 id="backends-title">Backends</h2>
        <label>
          A click causes{" "}
          <select
            value={fault.name}
            onChange={({ currentTarget }) => playground.chooseFault(currentTarget.value)}
          >
            {FAULTS.map(({ name, label }) => <option key={name} value={name}>{label}</option>)}
          </select>
        </label>
        {fault.parameters.map(({ label }, i) => (
          <label key={`${fault.name} ${label}`}>
            {label}{" "}
            <input
              type="text"
              size={5}
              value={faultValues.value[i]}
              onInput={({ currentTarget }) =>
                faultValues.value = faultValues.value.with(i, currentTarget.value)}
            />
          </label>
        ))}
      </div>
      <p class="muted">
        {fault.meaning}{" "}
        A click on a backend in the picture causes this fault, and the next click repairs the
        backend.
      </p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Backends and their settings">
        <table>
          <thead>
            <tr>
              <th scope="col">Backend</th>
              <th scope="col">Believed state</th>
              <th scope="col">True state</th>
              <th scope="col" class="number">In flight</th>
              <th scope="col">Action</th>
              <th scope="col">Weight</th>
              <th scope="col">Speed</th>
              <th scope="col">Slots</th>
              <th scope="col">Limit</th>
              <th scope="col">
                <span class="unseen">Remove</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {truth.ids.map((id, i) => {
              const start = atStart.get(id);
              return (
                <Row
                  key={id}
                  id={id}
                  condition={CONDITIONS[beliefs[0]?.condition[i] ?? -1]}
                  isGone={truth.configured[i] === 0}
                  isBroken={isHurt(frame, i)}
                  isTrulyHurt={truth.state[i] !== 0}
                  faults={truth.faults[i] ?? ""}
                  inFlight={beliefs.reduce((sum, one) => sum + one.in_flight[i]!, 0)}
                  cause={fault.label}
                  weight={start?.weight ?? 1}
                  speed={start?.speed ?? 1}
                  slots={truth.slots[i]!}
                  limit={beliefs[0]?.limit[i] ?? Infinity}
                />
              );
            })}
          </tbody>
        </table>
      </div>
      <div class="actions under">
        <button type="button" onClick={() => playground.change({ kind: "add backend" })}>
          Add a backend
        </button>
        <button type="button" onClick={() => playground.change({ kind: "repair" })}>
          Repair everything
        </button>
        {Array.from({ length: balancers }, (_, i) => (
          <button
            key={i}
            type="button"
            onClick={() =>
              playground.change({
                kind: "break",
                fault: "lb-restart",
                load_balancer: i + 1,
                for_s: 2,
              })}
          >
            Restart {balancers === 1 ? "the balancer" : `LB${i + 1}`} (2 s)
          </button>
        ))}
      </div>
    </section>
  );
}

interface RowValues {
  readonly id: string;
  readonly condition: BackendCondition | undefined;
  readonly isGone: boolean;
  readonly isBroken: boolean;
  readonly isTrulyHurt: boolean;
  readonly faults: string;
  readonly inFlight: number;
  /** The fault that a click on Break causes. */
  readonly cause: string;
  readonly weight: number;
  readonly speed: number;
  readonly slots: number;
  readonly limit: number;
}

/** A backend. There may be hundreds, so its forms are created again only if one of their values has changed. */
function Row({ inFlight, ...values }: RowValues) {
  const { id, condition, isBroken, isTrulyHurt, faults } = values;
  const forms = useMemo(() => <Forms {...values} />, Object.values(values));
  return (
    <tr data-backend={id} data-broken={isBroken}>
      <th scope="row">{id}</th>
      <td class={`condition ${condition ?? ""}`}>
        {condition === undefined ? "removed" : `${SIGNS[condition]} ${condition}`}
      </td>
      <td class={isTrulyHurt ? "bad" : ""}>{faults || "no fault"}</td>
      <td class="number">{formatNumber(inFlight)}</td>
      {forms}
    </tr>
  );
}

/** The forms that change a backend: the other cells of its row. */
function Forms(
  { id, isGone, isBroken, cause, weight, speed, slots, limit }: Omit<RowValues, "inFlight">,
) {
  const { playground } = useShared();
  return (
    <>
      <td>
        <button
          type="button"
          class={isBroken ? "" : "danger"}
          aria-label={isBroken ? `Repair ${id}` : `Break ${id}: ${cause}`}
          disabled={isGone}
          onClick={() => playground.toggleFault(id)}
        >
          {isBroken ? "Repair" : "Break"}
        </button>
      </td>
      <td>
        <Setting
          path={`balancer.backends.${id}.weight`}
          label={`Weight of ${id}`}
          initial={String(weight)}
        />
      </td>
      <td>
        <Setting
          path={`servers.${id}.speed`}
          label={`Speed of ${id}`}
          initial={String(speed)}
        />
      </td>
      <td>
        <Setting
          path={`servers.${id}.slots`}
          label={`Slots of ${id}`}
          initial={orNothing(slots)}
        />
      </td>
      <td>
        <Setting
          path={`balancer.backends.${id}.max_connections`}
          label={`Connections of ${id} at most`}
          initial={orNothing(limit)}
        />
      </td>
      <td>
        <button
          type="button"
          class="small"
          aria-label={`Remove ${id}`}
          disabled={isGone}
          onClick={() => playground.change({ kind: "remove backend", id })}
        >
          Remove
        </button>
      </td>
    </>
  );
}

/** A number; nothing if it has no bound. */
function orNothing(value: number): string {
  return Number.isFinite(value) ? String(value) : "";
}

/** A number that can be changed during the run. */
function Setting({ path, label, initial }: {
  readonly path: string;
  readonly label: string;
  readonly initial: string;
}) {
  const { playground } = useShared();
  const value = playground.valueOf(path) ?? initial;
  const typed = useSignal<string | undefined>(undefined);
  return (
    <input
      type="text"
      inputMode="decimal"
      size={4}
      aria-label={label}
      value={typed.value ?? String(value)}
      onInput={({ currentTarget }) => typed.value = currentTarget.value}
      onChange={async ({ currentTarget }) => {
        await playground.set(path, currentTarget.value);
        typed.value = undefined;
      }}
    />
  );
}
