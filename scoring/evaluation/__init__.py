"""Evaluation of decisions: metrics, costs, intervals, comparisons, drift."""
