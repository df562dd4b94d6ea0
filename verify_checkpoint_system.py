"""Check the whole checkpoint system: ``python verify_checkpoint_system.py --help``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # this checkout, also when it is not installed

try:
    from validation_ch7.cli.verify_system import verify_system
except ModuleNotFoundError as missing:
    sys.exit(f"The package '{missing.name}' is missing. Install first: python -m pip install -c constraints.txt -e .")

if __name__ == "__main__":
    verify_system()
