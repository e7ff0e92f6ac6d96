import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { formatNumber } from "../dashboard/mod.ts";
import { useShared } from "./context.ts";
import { SPEEDS } from "./speeds.ts";

/** The controls of time: pause, steps, speed, and a line on which the user chooses a time. */
export function Timeline() {
  const { playground } = useShared();
  const run = playground.run.value;
  const dragged = useSignal<number | undefined>(undefined);
  const seeking = useRef({ isBusy: false, wanted: undefined as number | undefined });
  const seek = async (at_ms: number) => {
    const state = seeking.current;
    state.wanted = at_ms;
    if (state.isBusy) return;
    state.isBusy = true;
    // Goes only to the latest time: times that the pointer has left in the meantime are skipped.
    while (state.wanted !== undefined) {
      const next: number = state.wanted;
      state.wanted = undefined;
      await playground.seek(next);
    }
    state.isBusy = false;
    dragged.value = undefined;
  };
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const { target, key, ctrlKey, metaKey, altKey } = event;
      if (ctrlKey || metaKey || altKey) return;
      if (target instanceof Element && target.closest("input, select, textarea, button, summary")) {
        return;
      }
      const action = KEYS[key];
      if (action === undefined) return;
      event.preventDefault();
      void action(playground);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  if (run === undefined) return null;
  const { isPaused } = playground;
  const length = Math.max(1, run.length_ms);
  const at = dragged.value ?? run.at_ms;
  return (
    <div class="timeline" role="group" aria-label="Time">
      <div class="transport">
        <button
          type="button"
          class="play"
          aria-label={isPaused.value ? "Play" : "Pause"}
          title="Space"
          onClick={() => isPaused.value ? playground.play() : playground.pause()}
        >
          {isPaused.value ? "▶ Play" : "❚❚ Pause"}
        </button>
        <div class="choice" role="group" aria-label="Step">
          <button type="button" title="Key: ." onClick={() => playground.step("event")}>
            Next event
          </button>
          <button type="button" title="Key: p" onClick={() => playground.step("pick")}>
            Next pick
          </button>
          <button type="button" title="Key: h" onClick={() => playground.step("health")}>
            Next change of health
          </button>
        </div>
        <label>
          Speed{" "}
          <select
            value={String(playground.speed.value)}
            onChange={({ currentTarget }) => playground.play(Number(currentTarget.value))}
          >
            {SPEEDS.map(([speed, label]) => <option key={speed} value={speed}>{label}</option>)}
          </select>
        </label>
        <Reached />
      </div>
      <div class="line-of-time">
        <div class="track">
          <input
            type="range"
            aria-label="Time"
            aria-valuetext={`${seconds(at)} of ${seconds(length)}`}
            min={0}
            max={length}
            step={length / 1000}
            value={at}
            onInput={({ currentTarget }) => {
              dragged.value = currentTarget.valueAsNumber;
              void seek(currentTarget.valueAsNumber);
            }}
          />
          <Marks length={length} />
        </div>
        <output class="clock" data-at={run.progress === null ? run.at_ms : undefined}>
          <strong>{seconds(at)}</strong> of {seconds(length)}
        </output>
      </div>
      <Interventions />
    </div>
  );
}

const KEYS: Readonly<
  Record<string, (playground: ReturnType<typeof useShared>["playground"]) => Promise<void>>
> = {
  " ": (playground) => playground.isPaused.peek() ? playground.play() : playground.pause(),
  ".": (playground) => playground.step("event"),
  p: (playground) => playground.step("pick"),
  h: (playground) => playground.step("health"),
};

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}

/** The real speed of time, if it differs from the chosen one. */
function Reached() {
  const run = useShared().playground.run.value!;
  if (run.progress !== null) {
    return <span role="status" class="muted">computing: {Math.round(100 * run.progress)} %</span>;
  }
  if (run.over) return <span class="muted">the run is over</span>;
  if (run.speed === 0 || run.actual_speed > 0.8 * run.speed) return null;
  return <span class="muted">reached: × {formatNumber(run.actual_speed)}</span>;
}

/** The marks of the changes by hand. */
function Marks({ length }: { readonly length: number }) {
  const { playground } = useShared();
  return (
    <div class="marks" aria-hidden="true">
      {playground.interventions.value.map(({ at_ms, until_ms }, i) => (
        <span
          key={i}
          style={{
            left: `${100 * at_ms / length}%`,
            width: until_ms === null
              ? "2px"
              : `${100 * (Math.min(until_ms, length) - at_ms) / length}%`,
          }}
        />
      ))}
    </div>
  );
}

/** The changes by hand, which are a part of the run. */
function Interventions() {
  const { playground } = useShared();
  const all = playground.interventions.value;
  if (all.length === 0) return null;
  return (
    <details class="interventions">
      <summary>Faults and changes: {all.length}</summary>
      <ol>
        {all.map(({ at_ms, until_ms, text }, index) => (
          <li key={index}>
            <button
              type="button"
              class="small"
              aria-label={`Withdraw: ${text}`}
              onClick={() => playground.change({ kind: "withdraw", index })}
            >
              Withdraw
            </button>{" "}
            {seconds(at_ms)}: {text}
            {until_ms !== null && ` until ${seconds(until_ms)}`}
          </li>
        ))}
      </ol>
      <button type="button" onClick={() => playground.change({ kind: "withdraw" })}>
        Withdraw all
      </button>
    </details>
  );
}
