/**
 * The part of the chart library that the plots use. It is a module of its own, so that only code that plots
 * loads it. The parts are imported by name, so that a build leaves out the library's other charts.
 */
import { LineChart } from "echarts/charts";
import { GridComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([LineChart, GridComponent, SVGRenderer]);

export { init };
