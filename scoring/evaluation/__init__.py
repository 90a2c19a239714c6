"""How good decisions are: metrics, costs, intervals, comparisons, drift."""
