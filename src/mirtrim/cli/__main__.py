"""python -m mirtrim.cli"""

import sys

from mirtrim.cli import main

sys.exit(main())
