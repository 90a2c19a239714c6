"""Seal stored rows in a Merkle tree a tenant, and verify them later."""
