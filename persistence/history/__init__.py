"""The past events of entities, from which windows are read."""
