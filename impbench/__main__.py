"""Let ``python -m impbench`` be the program ``impbench``."""

from impbench.cli import main

if __name__ == "__main__":
    main()
