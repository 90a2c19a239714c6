"""The domain: transactions, and how they are scored, explained and decided.

Pure code: no network, no database, no framework.
"""

__version__ = "0.1.0"
