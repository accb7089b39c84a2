"""`/usr/bin/python3 test/lab <command>`: the lab from a shell; --help lists the commands."""
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from lab.cli import main  # noqa: E402

sys.exit(main())
