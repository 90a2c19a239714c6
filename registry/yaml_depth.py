"""Read YAML with a limit on its brackets: a file of brackets alone costs no second of CPU."""

from __future__ import annotations

import yaml

MAX_OPEN_BRACKETS = 100
"""What people write has under ten. PyYAML's time grows with the square of the open brackets: 1 s
for the 500 at which it gives up with a RecursionError."""


class ShallowLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which refuses brackets in brackets beyond `MAX_OPEN_BRACKETS`."""

    def fetch_flow_collection_start(self, token_class: type[yaml.Token]) -> None:
        """Open a bracket.

        Raises:
            ScannerError: as many are open as may be.
        """
        if self.flow_level >= MAX_OPEN_BRACKETS:
            raise yaml.scanner.ScannerError(
                None, None, f"more than {MAX_OPEN_BRACKETS} brackets are open", self.get_mark()
            )
        super().fetch_flow_collection_start(token_class)
