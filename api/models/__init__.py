"""Versions, policy and tuner."""
