import { Backends } from "./backends.tsx";
import { Charts } from "./charts.tsx";
import { type Page, PageContext } from "./context.ts";
import { EventLog } from "./event_log.tsx";
import { ExplainPick } from "./explain_pick.tsx";
import { Flow } from "./flow.tsx";
import { Header } from "./header.tsx";
import { Sessions } from "./sessions.tsx";
import { Summary } from "./summary.tsx";

/** The whole page. */
export function App(page: Page) {
  return (
    <PageContext.Provider value={page}>
      <a class="skip" href="#backends">Skip to the backends</a>
      <Header />
      <main>
        <Summary />
        <Flow />
        <Backends />
        <Charts />
        <EventLog />
        <div class="pair">
          <Sessions />
          <ExplainPick />
        </div>
      </main>
      <Announcer page={page} />
    </PageContext.Provider>
  );
}

/** Announces changes to screen readers. */
function Announcer({ page }: { readonly page: Page }) {
  return <div class="unseen" role="status" aria-live="polite">{page.dashboard.announcement}</div>;
}
