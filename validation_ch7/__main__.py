"""``python -m validation_ch7``: the same as the command ``validation-ch7``."""

from validation_ch7.cli.main import main

if __name__ == "__main__":
    main()
