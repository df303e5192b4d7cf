"""The command."""

import sys

from .scan import scan


def main() -> int:
    found = 0
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8", errors="replace") as file:
            for f in scan(file):
                print(f"{name}:{f.line}: {f.bits:.1f} bits: {f.word[:8]}…")
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
