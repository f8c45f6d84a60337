"""`python -m isoref` is the command `isoref`."""

from isoref.cli import main

raise SystemExit(main())
