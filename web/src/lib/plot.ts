// The library that draws graphs, fetched when the first one is shown.
import 'uplot/dist/uPlot.min.css'

export { default as Plot } from 'uplot'
