#!/bin/sh
# Stands in for the compiler of its own name: what was compiled before is copied.
#
# Tests compile the same library for many models, in many folders. An object is known by its options
# and by the text that the preprocessor makes of its source; it is kept beside the link to this script
# that was called. A command that compiles several sources and links them is taken apart.
set -eu
compiler=${0##*/}
links=${0%/*}
PATH=${PATH#*"$links":} # the compiler itself comes later

compiles='' object='' options='' left=$#
while [ "$left" -gt 0 ]; do # leaves all arguments but -o FILE
    argument=$1
    shift
    left=$((left - 1))
    case $argument in
    -c) compiles=1 ;;
    -o)
        object=$1
        shift
        left=$((left - 1))
        continue
        ;;
    -D* | -I* | -ffile-prefix-map=*) ;; # what they decide is in the text
    *) options="$options $argument" ;;
    esac
    set -- "$@" "$argument"
done
# Whether a command compiles several sources and links them, and can be taken apart.
is_several() {
    sources=0
    for argument; do
        case $argument in
        *.c) sources=$((sources + 1)) ;;
        -[ESTLlxr] | -M* | -flto* | -fwhole* | -fcallgraph* | -fsyntax* | -save-temps* | --coverage) return 1 ;;
        esac
    done
    [ "$sources" -gt 1 ]
}

# compile_one SOURCE OBJECT ARGUMENTS...: as this script, without what is for the linker.
compile_one() (
    source=$1 object=$2
    shift 2
    left=$#
    while [ "$left" -gt 0 ]; do
        argument=$1
        shift
        left=$((left - 1))
        case $argument in
        *.[coaS] | *.cpp | *.cc | -Wl,* | -T* | -L* | -l* | -nostartfiles) ;;
        *) set -- "$@" "$argument" ;;
        esac
    done
    exec "$links/$compiler" "$@" -c "$source" -o "$object"
)

if [ -z "$compiles" ] && [ -n "$object" ] && is_several "$@"; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    number=0
    for argument; do
        case $argument in
        *.c) number=$((number + 1)) && compile_one "$argument" "$folder/$number.o" "$@" ;;
        esac
    done
    number=0 left=$#
    while [ "$left" -gt 0 ]; do # leaves all arguments, objects in place of sources
        argument=$1
        shift
        left=$((left - 1))
        case $argument in
        *.c) number=$((number + 1)) && argument=$folder/$number.o ;;
        esac
        set -- "$@" "$argument"
    done
    "$compiler" "$@" -o "$object"
    exit
fi
if [ -z "$compiles" ] || [ -z "$object" ]; then
    exec "$compiler" "$@" ${object:+-o "$object"}
fi

key=$({
    echo "$compiler $options"
    "$compiler" "$@" -E -fno-working-directory 2>/dev/null
} | sha256sum)
kept=$links/${key%% *}
if ! [ -f "$kept.o" ]; then
    "$compiler" "$@" -o "$object"
    # whole or not at all, and the .ci first; what another process has kept meanwhile stays
    if [ -f "${object%.o}.ci" ]; then
        cp "${object%.o}.ci" "$kept.ci.$$"
        mv -n "$kept.ci.$$" "$kept.ci" || true
    fi
    cp "$object" "$kept.$$"
    mv -n "$kept.$$" "$kept.o" || true
    rm -f "$kept.$$" "$kept.ci.$$"
    exit
fi
cp "$kept.o" "$object"
[ ! -f "$kept.ci" ] || cp "$kept.ci" "${object%.o}.ci"
