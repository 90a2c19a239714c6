"""The domain: what a transaction is, how it is scored, explained and decided.

Pure: no network, no database, no framework.
"""

__version__ = "0.1.0"
