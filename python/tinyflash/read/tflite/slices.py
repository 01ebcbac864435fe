"""The places that a STRIDED_SLICE leaves, of constants and of maps."""

from __future__ import annotations

from tinyflash.read.tflite.importing import Layer, Shape


def sliced(layer: Layer, shape: Shape) -> tuple[list[range], Shape]:
    """Returns the places along each axis of the input, and the output's shape: without axes that
    shrink, with new ones."""
    begin, end, step = (layer.numbers(i) for i in (1, 2, 3))
    count = len(begin)
    layer.require(len(end) == len(step) == count and 0 not in step, "has unequal or zero steps")
    if layer.option("Offset", 0):
        end = [b + e for b, e in zip(begin, end, strict=True)]

    def set_in(mask: str) -> set[int]:
        return {i for i in range(count) if int(layer.option(mask)) >> i & 1}

    masks = {m: set_in(f"{m}Mask") for m in ("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis")}
    dots, new = masks["Ellipsis"], masks["NewAxis"] - masks["Ellipsis"]
    shrinks = masks["ShrinkAxis"] - new - dots
    named = count - len(dots) - len(new)
    layer.require(len(dots) <= 1 and named <= len(shape), f"slices {named} of {len(shape)} axes")
    taken: list[range] = []
    made: list[int] = []
    for i in range(count):
        if i in dots:
            whole = [range(n) for n in shape[len(taken) :][: len(shape) - named]]
            taken += whole
            made += map(len, whole)
        elif i in new:
            made.append(1)
        else:
            places = range(shape[len(taken)])
            first = None if i in masks["Begin"] else begin[i]
            if i in shrinks:
                at = first or 0
                layer.require(step[i] > 0, f"takes one element backwards, by {step[i]}")
                layer.require(
                    -len(places) <= at < len(places), f"takes element {at} of {len(places)}"
                )
                taken.append(places[at:][:1])
                continue
            last = None if i in masks["End"] else end[i]
            taken.append(places[first : last : step[i]])
            made.append(len(taken[-1]))
    rest = [range(n) for n in shape[len(taken) :]]
    return taken + rest, (*made, *map(len, rest))
