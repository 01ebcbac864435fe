"""The spectrogram in numpy, to the letter of SPEC 14: all frames at once, no table but those that
the text defines."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]


def _q30(v: Whole) -> Whole:
    return (v + (1 << 29)) >> 30


class SpectrogramReference:
    """rate, window, bands, low, high: as in SPEC 14."""

    def __init__(self, rate: int, window: int, bands: int, low: float, high: float) -> None:
        self.window, self.bands = window, bands
        self.p = max(5, math.ceil(math.log2(window)))
        self.length = 1 << self.p
        self._place, self._given = self._bands(rate, low, high)

    def _bands(self, rate: int, low: float, high: float) -> tuple[list[float], Whole]:
        """14.4: the place of each bin, and what it gives to each band, [bins][bands]."""

        def mel(f: float) -> float:
            return 1127 * math.log1p(f / 700)

        bins = self.length // 2 + 1
        place = [
            (mel(k * rate / self.length) - mel(low)) * (self.bands + 1) / (mel(high) - mel(low))
            for k in range(bins)
        ]
        given = np.zeros((bins, self.bands), np.int64)
        for k in range(math.floor(1.5 + low * self.length / rate), bins):
            e = math.floor(place[k])
            share = round(2**12 * (place[k] - e))
            if 0 <= e < self.bands:
                given[k, e] = share
            if 1 <= e <= self.bands:
                given[k, e - 1] = 2**12 - share
        return place, given

    def tapered(self, samples: npt.NDArray[np.int16]) -> Whole:
        """14.1. samples: [n][window]."""
        i = np.arange(self.window)
        h = np.rint(2**15 * (0.5 - 0.5 * np.cos(2 * np.pi * (i + 0.5) / self.window)))
        v = np.zeros((len(samples), self.length), np.int64)
        product = samples.astype(np.int64) * np.minimum(h, 32767).astype(np.int64)
        v[:, : self.window] = (product + 2 ** (self.p - 1)) >> self.p
        return v

    def _angle(self, j: Whole) -> tuple[Whole, Whole]:
        """14.2: C(j), S(j)."""
        quarter = self.length // 4
        c = np.rint(2**30 * np.cos(2 * np.pi * np.arange(quarter + 1) / self.length))
        table = c.astype(np.int64)
        cosine = np.where(j <= quarter, table[np.minimum(j, quarter)], -table[-1])
        later = j > quarter
        cosine[later] = -table[self.length // 2 - j[later]]
        return cosine, table[np.abs(quarter - j)]

    def transformed(self, v: Whole) -> tuple[Whole, Whole]:
        """14.2: re, im [n][length / 2]. All must fit in int32."""
        half = self.length // 2
        order = [int(f"{n:0{self.p - 1}b}"[::-1], 2) for n in range(half)]
        re, im = v[:, 0::2][:, order], v[:, 1::2][:, order]
        length = 2
        while length <= half:
            shape = (len(v), half // length, 2, length // 2)
            c, s = self._angle(np.arange(length // 2) * (self.length // length))
            re, im = re.reshape(shape), im.reshape(shape)
            t_re = _q30(re[:, :, 1] * c + im[:, :, 1] * s)
            t_im = _q30(im[:, :, 1] * c - re[:, :, 1] * s)
            re = np.stack([re[:, :, 0] + t_re, re[:, :, 0] - t_re], 2).reshape(len(v), half)
            im = np.stack([im[:, :, 0] + t_im, im[:, :, 0] - t_im], 2).reshape(len(v), half)
            assert max(np.abs(re).max(initial=0), np.abs(im).max(initial=0)) < 2**31
            length *= 2
        return re, im

    def power(self, samples: npt.NDArray[np.int16]) -> Whole:
        """14.3: [n][length / 2 + 1]."""
        re, im = self.transformed(self.tapered(samples))
        half = self.length // 2
        k = np.arange(half + 1)
        a, b = k % half, (half - k) % half
        c, s = self._angle(k)
        o_re, o_im = im[:, a] + im[:, b], re[:, b] - re[:, a]
        assert max(np.abs(o_re).max(initial=0), np.abs(o_im).max(initial=0)) < 2**31
        r = re[:, a] + re[:, b] + _q30(o_re * c + o_im * s)
        m = im[:, a] - im[:, b] + _q30(o_im * c - o_re * s)
        return (r * r + m * m) >> 10

    def features(self, samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """14.4, 14.5: [n][bands]. Energies as Python's own integers, which cannot overflow."""
        energies = self.power(samples).astype(object) @ self._given.astype(object)
        found = [[self._logarithm(int(energy)) for energy in row] for row in energies]
        return np.array(found, np.int16).reshape(len(samples), self.bands)

    def _logarithm(self, energy: int) -> int:
        assert energy < 2**63
        m = math.isqrt(energy) >> (20 - self.p)
        if m == 0:
            return 0
        e = m.bit_length() - 1
        f = (m << 16 >> e) - (1 << 16)
        j, g = divmod(f, 1 << 10)
        low, high = (round(2**16 * math.log(1 + i / 64)) for i in (j, j + 1))
        n = low + ((g * (high - low) + (1 << 9)) >> 10)
        return ((e + 3) * round(2**16 * math.log(2)) + n + (1 << 9)) >> 10
