"""Reading age of English text by the Flesch-Kincaid grade.

Kincaid 1975: grade = 0.39 words/sentence + 11.8 syllables/word - 15.59.
"""

from __future__ import annotations

import re

VOWELS = re.compile(r"[aeiouy]+")


def count_syllables(word: str) -> int:
    """Vowel groups, less a silent final e or -ed; at least one."""
    word = word.lower()
    if not word.isalpha():
        return 1
    n = len(VOWELS.findall(word))
    if word.endswith("e") and not word.endswith(("le", "ee", "ye")) and n > 1:
        n -= 1
    if word.endswith("ed") and not word.endswith(("ted", "ded")) and n > 1:
        n -= 1
    return max(1, n)


def flesch_kincaid_grade(text: str) -> float:
    sentences = [part for part in re.split(r"[.!?:]+(?:\s|$)", text) if part.strip()]
    words = re.findall(r"[A-Za-z]+|\d[\d.,]*", text)
    return 0.39 * len(words) / len(sentences) + 11.8 * sum(map(count_syllables, words)) / len(words) - 15.59


def reading_age(text: str) -> float:
    """A United States grade plus five years."""
    return flesch_kincaid_grade(text) + 5
