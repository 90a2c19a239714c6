"""Entities as analysts see them: their events, their profile, and what stands around one event."""
