"""Mutations that know nothing of what the bytes mean."""

from __future__ import annotations

from random import Random

EDGES = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)


def interesting(value: bytes, random: Random) -> bytes:
    """Another little-endian number of the same size."""
    size, number = len(value), int.from_bytes(value, "little")
    choice = random.randrange(4)
    if choice == 0:
        number += random.choice((-8, -4, -2, -1, 1, 2, 4, 8))
    elif choice == 1:
        number = random.choice(EDGES) * random.choice((1, -1))
    elif choice == 2:
        number ^= 1 << random.randrange(8 * size)
    else:
        number = random.getrandbits(8 * size)
    return (number % (1 << 8 * size)).to_bytes(size, "little")


def flip(content: bytes, random: Random) -> bytes:
    """A few bytes changed, doubled, taken out, or all beyond a place cut off."""
    changed = bytearray(content or b"\0")
    at = random.randrange(len(changed))
    until = min(len(changed), at + random.choice((1, 2, 4, 16, 64)))
    choice = random.randrange(8)
    if choice == 0:
        del changed[at:]
    elif choice == 1:
        del changed[at:until]
    elif choice == 2:
        changed[at:at] = changed[at:until]
    elif choice == 3:
        other = random.randrange(len(changed))
        changed[at:until] = changed[other : other + until - at]
    else:
        changed[at] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))
    return bytes(changed)


def splice(content: bytes, words: tuple[bytes, ...], random: Random) -> bytes:
    """A word put in, or in the place of as many bytes."""
    at, word = random.randrange(len(content) + 1), random.choice(words)
    end = at if random.random() < 0.5 else at + len(word)
    return content[:at] + word + content[end:]
