import { useSignal } from "@preact/signals";
import { useShared } from "./context.ts";

const VARIANTS_MAX = 3;
const ALGORITHM = "balancer.algorithm";

/** Which variants run side by side. */
export function Compare() {
  const { playground } = useShared();
  const opened = playground.opened.value;
  const path = useSignal(ALGORITHM);
  const values = useSignal<readonly string[]>(["", "", ""]);
  if (opened === undefined) return null;
  const choices = opened.controls.find((control) => control.path === path.value)?.input;
  const options = choices?.kind === "choice" ? choices.options : undefined;
  const compared = Object.entries(opened.compare).filter(([, values]) => values.length > 1)
    .map(([path]) => path).join(", ");
  const run = () => {
    const wanted = values.value.filter((value) => value !== "");
    void playground.compare(wanted.length < 2 ? {} : { [path.value]: wanted });
  };
  return (
    <section aria-labelledby="compare-title">
      <h2 id="compare-title">Side by side</h2>
      <p class="muted">
        {opened.variants.length === 1
          ? "One variant runs. Choose two or three values of a setting to compare them."
          : `Compared: ${compared}. All variants get the same arrivals and jobs.`}
        {opened.variant_names.length > opened.variants.length &&
          ` The scenario has ${opened.variant_names.length} variants; ${opened.variants.length} of them run here.`}
      </p>
      <form
        class="heading"
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <label>
          Setting{" "}
          <select
            value={path.value}
            onChange={({ currentTarget }) => {
              path.value = currentTarget.value;
              values.value = ["", "", ""];
            }}
          >
            {[...new Set([ALGORITHM, ...opened.controls.map((control) => control.path)])].map((
              one,
            ) => <option key={one} value={one}>{one}</option>)}
          </select>
        </label>
        {Array.from({ length: VARIANTS_MAX }, (_, i) => (
          <label key={`${path.value} ${i}`}>
            {i + 1}. {options === undefined
              ? (
                <input
                  type="text"
                  size={8}
                  aria-label={`Value ${i + 1}`}
                  value={values.value[i]}
                  onInput={({ currentTarget }) =>
                    values.value = values.value.with(i, currentTarget.value)}
                />
              )
              : (
                <select
                  aria-label={`Value ${i + 1}`}
                  value={values.value[i]}
                  onChange={({ currentTarget }) =>
                    values.value = values.value.with(i, currentTarget.value)}
                >
                  {["", ...options].map((option) => (
                    <option key={option} value={option}>{option || "–"}</option>
                  ))}
                </select>
              )}
          </label>
        ))}
        <button type="submit">Compare</button>
        {opened.variants.length > 1 && (
          <button type="button" onClick={() => playground.compare({})}>Only one</button>
        )}
        <label>
          Seed{" "}
          <input
            type="number"
            class="seed"
            min={0}
            step={1}
            value={opened.seed}
            onChange={({ currentTarget }) => playground.reseed(currentTarget.valueAsNumber)}
          />
        </label>
      </form>
    </section>
  );
}
