"""The `sentinel` command, the settings, and the local stack on one machine."""
