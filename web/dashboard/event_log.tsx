import { usePage } from "./context.ts";
import { EVENT_KINDS } from "./event_kinds.ts";
import { formatTime } from "./format.ts";

const SHOWN_MAX = 200;

/** The events, filtered by kind and text. */
export function EventLog() {
  const { dashboard, view } = usePage();
  const kinds = view.kinds.value;
  const search = view.search.value.toLowerCase();
  const found = dashboard.events.value.filter(({ kind, text }) =>
    kinds.includes(kind) && text.toLowerCase().includes(search)
  );
  return (
    <section aria-labelledby="events-title">
      <div class="heading">
        <h2 id="events-title">Events</h2>
        <fieldset class="kinds">
          <legend class="unseen">Kinds of events</legend>
          {EVENT_KINDS.map((kind) => (
            <label key={kind}>
              <input
                type="checkbox"
                checked={kinds.includes(kind)}
                onChange={({ currentTarget: { checked } }) =>
                  view.kinds.value = EVENT_KINDS.filter((one) =>
                    one === kind ? checked : kinds.includes(one)
                  )}
              />{" "}
              {kind}
            </label>
          ))}
        </fieldset>
        <label>
          Contains{" "}
          <input
            type="search"
            value={view.search.value}
            onInput={({ currentTarget }) => view.search.value = currentTarget.value}
          />
        </label>
      </div>
      <div class="scroll log" tabIndex={0} role="log" aria-live="off" aria-label="Event log">
        {found.length === 0 && <p class="muted">There is no such event yet.</p>}
        <ol>
          {found.slice(0, SHOWN_MAX).map(({ id, time, kind, text }) => (
            <li key={id}>
              <time>{formatTime(time, dashboard.hasWallClock.value)}</time>{" "}
              <span class={`kind ${kind}`}>{kind}</span> <span>{text}</span>
            </li>
          ))}
        </ol>
      </div>
    </section>
  );
}
