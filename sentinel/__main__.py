"""`python -m sentinel` is the `sentinel` command."""

from sentinel.installed import require_packages

require_packages()

from sentinel.cli.main import main  # noqa: E402 - it needs the packages

main(prog_name="sentinel")
