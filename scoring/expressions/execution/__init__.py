"""Execution: from checked nodes to array operations on columns."""
