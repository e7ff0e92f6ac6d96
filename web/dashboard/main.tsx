/** The page that a balancer serves. It shows this balancer, through its admin API. */
import { render } from "preact";
import { App } from "./app.tsx";
import { Dashboard } from "./dashboard.ts";
import { LiveSource } from "./live_source.ts";
import { applyTheme, mediaSignal } from "./theme.ts";
import { onViewChange, parseView } from "./view_state.ts";

const view = parseView(location.search);
onViewChange(view, (query) => {
  history.replaceState(null, "", query === "" ? location.pathname : `?${query}`);
});
const dashboard = new Dashboard(new LiveSource());
dashboard.start();
render(
  <App
    dashboard={dashboard}
    view={view}
    isDark={applyTheme(view.theme)}
    hasReducedMotion={mediaSignal("(prefers-reduced-motion: reduce)")}
  />,
  document.querySelector("#app")!,
);
