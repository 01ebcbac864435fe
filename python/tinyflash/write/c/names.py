"""Names of models in C: the files, the symbol and the prefix of everything else in them."""

from __future__ import annotations

import re

from tinyflash.errors import ModelError
from tinyflash.sources import DEFAULT

__all__ = ["DEFAULT", "check_name"]

_LONGEST = 31  # characters of an external name that C99 tells apart

# Of C, up to C23, and of C++: users compile the header as either.
_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t
char32_t class co_await co_return co_yield compl concept const const_cast consteval constexpr
constinit continue decltype default delete do double dynamic_cast else enum explicit export extern
false float for friend fortran goto if import inline int long module mutable namespace new noexcept
not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires
restrict return short signed sizeof static static_assert static_cast struct switch template this
thread_local throw true try typedef typeof typeof_unqual typeid typename union unsigned using
virtual void volatile wchar_t while xor xor_eq
"""
# Headers of C, which NAME.h would hide.
_HEADERS = """
assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign
stdarg stdatomic stdbit stdbool stdckdint stddef stdint stdio stdlib stdnoreturn string tgmath
threads time uchar wchar wctype
"""
# Functions and objects of the C library, with which the symbol would collide.
_LIBRARY = """
abort abs acos acosh asctime asin asinh atan atan2 atanh atexit atof atoi atol atoll bsearch calloc
cbrt ceil clearerr clock cos cosh ctime difftime div environ erf erfc exit exp exp2 expm1 fabs
fclose fdim feof ferror fflush fgetc fgetpos fgets floor fma fmax fmin fmod fopen fprintf fputc
fputs fread free freopen frexp fscanf fseek fsetpos ftell fwrite gamma getc getchar getenv gets
gmtime hypot ilogb index isalnum isalpha isblank iscntrl isdigit isgraph islower isprint ispunct
isspace isupper isxdigit j0 j1 jn labs ldexp ldiv lgamma llabs lldiv llrint llround localeconv
localtime log log10 log1p log2 logb longjmp lrint lround main malloc mblen mbtowc memchr memcmp
memcpy memmove memset mktime modf nan nearbyint nextafter perror pow printf putc putchar puts qsort
raise rand random read realloc remainder remove remquo rename rewind rindex rint round scalbn scanf
select setbuf setlocale setvbuf sin sinh snprintf sprintf sqrt srand sscanf stderr stdin stdout
strcat strchr strcmp strcoll strcpy strcspn strerror strftime strlen strncat strncmp strncpy strpbrk
strrchr strspn strstr strtod strtof strtok strtol strtold strtoll strtoul strtoull strxfrm system
tan tanh tgamma time tmpfile tmpnam tolower toupper trunc ungetc vfprintf vprintf vsnprintf vsprintf
write y0 y1 yn
"""
# Macros of the headers of C, which would replace the symbol.
_MACRO = re.compile(
    r"(U?INT|PTRDIFF|SIZE|WCHAR|WINT|SIG_ATOMIC)\w*_(MAX|MIN|C|WIDTH)|NULL|EOF|offsetof|BUFSIZ|RAND_MAX"
    r"|unix|linux|i386"
)


def check_name(name: str) -> str:
    """Returns `name`. Raises ModelError if C or C++ cannot have a model of this name."""
    why = _fault(name)
    if why:
        raise ModelError(
            f"name {name[: 2 * _LONGEST]!r}: {why}; choose a name such as {DEFAULT!r} or 'gesture'"
        )
    return name


def _fault(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        return "a model's name in C is a letter, then letters, digits and underscores"
    if len(name) > _LONGEST:
        return f"it has {len(name)} characters, and C tells only {_LONGEST} apart"
    if name in _KEYWORDS.split():
        return "it is a keyword of C or C++"
    if name in _HEADERS.split():
        return f"its header would hide <{name}.h> of C"
    if name in _LIBRARY.split():
        return "the C library has this name"
    if _MACRO.fullmatch(name):
        return "C has a macro of this name"
    if name.endswith("_t") or "__" in name:
        return "names that end in _t or have two underscores in a row are reserved"
    if re.match(r"tiny_|tinyflash$", name, re.IGNORECASE):
        return "it begins as the names of the library do"
    return ""
