"""`python -m resource_airbyte`."""

import sys

from resource_airbyte.cli.app import main

sys.exit(main())
