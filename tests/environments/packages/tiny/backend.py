"""Builds a package of one module and one script without any help, as slowly as one asks for."""

import os
import time
import zipfile
from pathlib import Path

FILES = {
    "tiny.py": "def main():\n    import sys\n    print(sys.executable)\n",
    "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tiny-1.0.dist-info/entry_points.txt": "[console_scripts]\ntiny = tiny:main\n",
}


def build_wheel(folder, config_settings=None, metadata_directory=None):
    started = Path(os.environ["IMPBENCH_TEST_BUILDS"])
    started.open("a").write(f"{os.getpid()}\n")
    time.sleep(float(os.environ.get("IMPBENCH_TEST_PAUSE", 0)))
    name = "tiny-1.0-py3-none-any.whl"
    record = "".join(f"{file},,\n" for file in [*FILES, "tiny-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        for file, text in {**FILES, "tiny-1.0.dist-info/RECORD": record}.items():
            wheel.writestr(file, text)
    return name
