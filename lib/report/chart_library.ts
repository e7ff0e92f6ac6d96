/**
 * The part of the chart library that the plots use. A module of its own, so that it is loaded by those who
 * plot and no one else; and imported by name, so that a build leaves the library's other charts out.
 */
import { LineChart } from "echarts/charts";
import { GridComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([LineChart, GridComponent, SVGRenderer]);

export { init };
