import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { useShared } from "./context.ts";
import { Inline } from "./inline.tsx";
import type { Control, Opened } from "./protocol.ts";

/** These groups are open at the start. */
const OPEN = ["load", "algorithm"];

/** All settings of a scenario that can be changed during the run. */
export function Controls() {
  const { playground } = useShared();
  const controls = playground.opened.value?.controls ?? [];
  const running = playground.algorithms.value.split(",");
  const groups = Map.groupBy(
    // A parameter belongs to an algorithm: it is shown only if all variants have this algorithm.
    controls.filter(({ algorithm }) =>
      algorithm === null || running.every((name) => name === algorithm)
    ),
    ({ group }) => group,
  );
  if (groups.size === 0) return null;
  return (
    <section aria-labelledby="controls-title">
      <h2 id="controls-title">Settings that you can change during the run</h2>
      <div class="groups">
        {[...groups].map(([group, members]) => (
          <details key={group} class="group" open={OPEN.includes(group)}>
            <summary>{group}</summary>
            <div class="fields">
              {members.map((control) => <Field key={control.path} control={control} />)}
            </div>
          </details>
        ))}
      </div>
    </section>
  );
}

function Field({ control }: { readonly control: Control }) {
  const { playground } = useShared();
  const { path, label, meaning, input } = control;
  const id = useId();
  const typed = useSignal<string | undefined>(undefined);
  const changed = playground.valueOf(path);
  const compared = changed === undefined ? comparedIn(playground.opened.value, path) : "";
  const value = changed ?? (compared === "" ? control.value : null);
  const set = async (next: unknown) => {
    await playground.set(path, next);
    typed.value = undefined;
  };
  const words = value === null || value === undefined ? "" : wordsOf(value);
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {input.kind === "flag"
        ? (
          <input
            id={id}
            type="checkbox"
            checked={value !== null && value !== input.off}
            onChange={({ currentTarget }) => set(currentTarget.checked ? input.on : input.off)}
          />
        )
        : input.kind === "choice"
        ? (
          <select
            id={id}
            value={words}
            onChange={({ currentTarget }) => set(currentTarget.value)}
          >
            {[...new Set([...words === "" ? [""] : [], ...input.options, words])].map((option) => (
              <option key={option} value={option}>{option || compared || "not set"}</option>
            ))}
          </select>
        )
        : (
          <input
            id={id}
            type="text"
            spellcheck={false}
            autocomplete="off"
            placeholder={compared || input.example}
            value={typed.value ?? words}
            onInput={({ currentTarget }) => typed.value = currentTarget.value}
            onChange={({ currentTarget }) => set(currentTarget.value)}
          />
        )}
      <small title={path}>
        <Inline text={meaning} />
      </small>
    </div>
  );
}

/** The values of a setting in the variants, if they are compared by it. */
function comparedIn(opened: Opened | undefined, path: string): string {
  const values = opened?.compare[path];
  if (values === undefined) return "";
  const isOnly = Object.keys(opened!.compare).length === 1;
  // The name of a variant is the short form of its value.
  const words = isOnly ? opened!.variants.map(({ name }) => name) : values.map(wordsOf);
  return `compared: ${words.join(", ")}`;
}

function wordsOf(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
