"""The console: the web pages on which people review decisions and run the product.

`routes.py` lists the pages. Each folder is one subject with its `routes.py`; `templates/` has a
folder of the same name. docs/decisions/0020-console.md says how it is made.
"""
