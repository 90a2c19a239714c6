"""Search of decisions: filters in the address, figures, saved searches, export."""
