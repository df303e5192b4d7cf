"""What makes a word look like a key."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Iterable, Iterator

WORD = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
ENOUGH = 4.0  # bits for each character


@dataclass(frozen=True)
class Finding:
    line: int
    word: str
    bits: float


def entropy(word: str) -> float:
    """Shannon's entropy of the characters of a word, in bits for each."""
    n = len(word)
    return -sum(c / n * math.log2(c / n) for c in Counter(word).values()) if n else 0.0


def scan(lines: Iterable[str]) -> Iterator[Finding]:
    """Yields every word that is long and random enough."""
    for number, line in enumerate(lines, 1):
        for match in WORD.finditer(line):
            bits = entropy(match.group())
            if bits >= ENOUGH:
                yield Finding(number, match.group(), bits)
