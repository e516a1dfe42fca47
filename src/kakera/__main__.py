"""Entry point of `python -m kakera`."""

import sys

from kakera.cli.main import main

sys.exit(main())
