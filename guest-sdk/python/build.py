"""Makes a plugin of a Python file: `build.py FILE.py -o FILE.wasm`, run by a Python that has componentize-py.
`scripts/guest-py` finds or installs one. LTHOST_SDK is the folder with `wit/` and `guest-sdk/python/`."""

import argparse
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import componentize_py

SDK = Path(os.environ.get("LTHOST_SDK") or Path(__file__).resolve().parents[2])
ENTRY = "lthost_plugin"
# Of a component's sections: the id of one with exports; one whole, with an instance of no exports.
EXPORTS = 11
EMPTY_INSTANCE = b"\x05\x03\x01\x01\x00"


def main():
    options = argparse.ArgumentParser(prog="guest-py", description="Makes a plugin of a Python file.")
    options.add_argument("file", type=Path, metavar="FILE.py")
    options.add_argument("-o", "--output", type=Path, metavar="FILE.wasm", help="by default beside FILE.py")
    options.add_argument("--function", metavar="NAME", help="a function of a frame in it, if it exports nothing itself")
    given = options.parse_args()
    try:
        build(given.file, given.function, given.output or given.file.with_suffix(".wasm"))
    except (OSError, AssertionError) as error:
        sys.exit(f"guest-py: {given.file} makes no plugin: {shortened(str(error))}")


def build(file, function, output):
    wit = SDK / "wit"
    contract = re.search(r"^package ([^@\s]+)(@\S+);", (wit / "udf.wit").read_text(), re.MULTILINE)
    with tempfile.TemporaryDirectory() as stage:
        # A folder of its own: componentize-py searches and writes in it, and the plugin gets to know no other.
        package = SDK / "guest-sdk/python/lthost_udf"
        shutil.copytree(package, Path(stage, "lthost_udf"), ignore=shutil.ignore_patterns("__pycache__"))
        for beside in [*file.parent.glob("*.py"), file]:
            shutil.copy(beside, stage)
        entry = f"from lthost_udf.adapter import plugin\n\nLthostPlugin, Udf = plugin({file.stem!r}, {function!r})\n"
        Path(stage, f"{ENTRY}.py").write_text(entry)
        componentize_py.componentize(
            wit_path=[wit],
            worlds=["plugin"],
            features=[],
            all_features=False,
            world_module=None,
            python_path=[stage],
            module_worlds=[],
            app_name=ENTRY,
            output_path=output,
            stub_wasi=True,
            import_interface_names=[],
            export_interface_names=[(f"{contract[1]}/udf{contract[2]}", ENTRY)],
            full_names=False,
            intersect_world=None,
        )
    output.write_bytes(without_init(output.read_bytes()))


def without_init(component):
    """Without the export `exports`: the functions by which componentize-py has set up the interpreter. An instance that
    exports nothing stands in its place, so that the numbers of others stay."""
    section, end = 8, len(component)
    while section < end:
        size, begin = leb128(component, section + 1)
        if component[section] == EXPORTS and component.startswith(b"\x01\x00\x07exports\x05", begin):
            return component[:section] + EMPTY_INSTANCE + component[begin + size :]
        section = begin + size
    return component


def leb128(data, at):
    """A number of WebAssembly, and where it ends."""
    number = shift = 0
    while data[at] & 0x80:
        number |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return number | data[at] << shift, at + 1


def shortened(error):
    """What Python says, without what is not the author's: the tool's own backtrace, and lines of lthost_udf."""
    error = re.split(r"\n*(?:Caused by|Stack backtrace):\n", error)[0].strip()
    error = re.sub(r'  File "(?:/0/lthost_|<frozen )[^\n]*\n(?:    [^\n]*\n)*', "", error)
    error = error.replace('  File "/0/', '  File "').replace("lthost_udf.udf.Error: ", "")
    return error.removeprefix("Traceback (most recent call last):\n") if "  File " not in error else error


main()
