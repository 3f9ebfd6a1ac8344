#!/bin/sh
# Build both C extensions with AddressSanitizer and UndefinedBehaviorSanitizer in a copy of the sources; run their tests.
#     sh tests/sanitize.sh PYTHON [ARGUMENTS OF PYTEST]
set -eu
cd "$(dirname "$0")/.."
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
rm -rf .sanitize
mkdir .sanitize
cp -r extractor cli tests sample_data pyproject.toml README.md docs examples .sanitize/
find .sanitize -name "*.so" -delete
cd .sanitize
flags="-O1 -g -Wall -Wextra -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
suffix=$("$python" -c "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX'))")
include=$("$python" -c "import sysconfig; print(sysconfig.get_path('include'))")
for module in engines/_kernel:engines/kernel/kernel.c arrays/_rows:arrays/native/rows.c; do
    # shellcheck disable=SC2086
    ${CC:-gcc} $flags -shared -fPIC -I"$include" -o "extractor/rnnstates/${module%%:*}$suffix" \
        "extractor/rnnstates/${module#*:}" -lm
done
# Python itself leaks on purpose at its end. Its own allocator would hide what is read behind the end of an array.
export LD_PRELOAD="$(${CC:-gcc} -print-file-name=libasan.so) $(${CC:-gcc} -print-file-name=libubsan.so)"
export PYTHONPATH="$PWD/extractor:$PWD/cli" PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0
"$python" -c "
from rnnstates.arrays import _rows
from rnnstates.engines import _kernel
assert '/.sanitize/' in _rows.__file__ and '/.sanitize/' in _kernel.__file__"
"$python" -m pytest -m "not framework and not process" tests/arrays tests/engines tests/extraction/test_semantics.py "$@"
"$python" -m pytest tests/engines/test_compiled_engine.py "$@"
cd ..
rm -rf .sanitize
