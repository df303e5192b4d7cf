"""Builds the wheel through the project's own build backend (PEP 517), into the folder that is named."""

import os
import sys

os.umask(0o022)  # modes of files go into a wheel
sys.dont_write_bytecode = True
sys.path.insert(0, "src")

from heron import entropy, scan  # noqa: E402
from setuptools import build_meta  # noqa: E402

assert entropy("aaaa") == 0.0 and entropy("ab") == 1.0
assert [f.line for f in scan(["nothing here", "key = 0123456789abcdefghijKLMNOP"])] == [2]
print(build_meta.build_wheel(sys.argv[1]))
