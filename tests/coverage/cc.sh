#!/bin/sh
# Stands in for the C compiler of its own name, and measures coverage: without optimization, which
# joins lines, without sanitizers, which add branches, and without copies of functions.
set -eu
compiler=${0##*/}
links=${0%/*}
PATH=${PATH#*"$links":} # the compiler itself comes later
left=$#
while [ "$left" -gt 0 ]; do
    argument=$1
    shift
    left=$((left - 1))
    case $argument in
    -O* | -fsanitize=* | -fno-sanitize*) ;;
    *) set -- "$@" "$argument" ;;
    esac
done
apart='-DTINY_WIDE_INLINE=__attribute__((target("avx2,popcnt"))) static inline'
exec "$compiler" "$@" "$apart" -O0 --coverage -fprofile-abs-path -fprofile-update=prefer-atomic
