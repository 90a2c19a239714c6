"""The first page: what needs attention, and how decisions go."""
