"""Train section 7.6 in sessions: ``python validation_ch7/scripts/run_kaggle_validation_section_7_6.py --help``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout, also when it is not installed

try:
    from validation_ch7.cli.run_section import run_section
except ModuleNotFoundError as missing:
    sys.exit(f"The package '{missing.name}' is missing. Install first: python -m pip install -c constraints.txt -e .")

if __name__ == "__main__":
    run_section()
