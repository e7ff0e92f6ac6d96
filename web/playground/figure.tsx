import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { AsTable } from "./as_table.tsx";
import { useColours } from "./colours.ts";
import { fileName, savePicture, saveText } from "./save.ts";

/** A picture with its title, buttons that save it, and its values as a table. */
export function Figure({ title, note, svg, csv, table, children }: {
  readonly title: string;
  readonly note?: string | undefined;
  readonly svg: () => string;
  readonly csv: () => string;
  readonly table: () => ComponentChildren;
  /** The picture, which has one canvas. */
  readonly children: ComponentChildren;
}) {
  const { ground } = useColours();
  const place = useRef<HTMLElement>(null);
  const name = fileName(title);
  const saves: readonly (readonly [kind: string, save: () => void])[] = [
    ["PNG", () => savePicture(`${name}.png`, place.current!.querySelector("canvas")!, ground)],
    ["SVG", () => saveText(`${name}.svg`, "image/svg+xml", svg())],
    ["CSV", () => saveText(`${name}.csv`, "text/csv", csv())],
  ];
  return (
    <figure ref={place} class="plot-figure">
      <figcaption>{title}</figcaption>
      {children}
      {note !== undefined && <small class="line">{note}</small>}
      <div class="plot-tools">
        <AsTable>
          {() => (
            <div class="scroll" tabIndex={0} role="region" aria-label={`${title} as a table`}>
              {table()}
            </div>
          )}
        </AsTable>
        {saves.map(([kind, save]) => (
          <button
            key={kind}
            type="button"
            class="small"
            aria-label={`Save ${title} as ${kind}`}
            onClick={save}
          >
            {kind}
          </button>
        ))}
      </div>
    </figure>
  );
}
