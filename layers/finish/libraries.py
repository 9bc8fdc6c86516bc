"""Shared libraries in a layer: without symbols, and fit for the machine and C library of Lambda."""

import re
from collections.abc import Collection
from pathlib import Path

from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
# What Amazon Linux brings along; zlib with Python's own module of it.
PROVIDED = re.compile(
    r"(lib(c|m|dl|rt|pthread|util|z)|libstdc\+\+|libgcc_s|ld-linux-(x86-64|aarch64))\.so\.\d"
)
# libstdc++ by glibc: GCC 11 in Amazon Linux 2023, GCC 8 in manylinux_2_28, GCC 7 in Amazon Linux 2.
# Versions: https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html
GLIBCXX = {(2, 34): (3, 4, 29), (2, 28): (3, 4, 25), (2, 17): (3, 4, 24)}
MAGIC = b"\x7fELF"

Version = tuple[int, ...]


class Unfit(Exception):
    """A library that Lambda could not load."""


def is_library(path: Path) -> bool:
    """Whether a file is an ELF file."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def glibc_of(platforms: list[str]) -> Version:
    """The newest glibc that wheel tags such as manylinux_2_34_x86_64 allow."""
    found = (re.match(r"manylinux_(\d+)_(\d+)_", platform) for platform in platforms)
    return max((int(match[1]), int(match[2])) for match in found if match)


def strip(path: Path) -> None:
    """Cuts off what the loader never looks at: the symbol table, 2 MB of obstore, and the section headers.

    binutils' strip would do, but it knows the machine that it runs on alone.
    """
    with path.open("r+b") as file:
        elf = ELFFile(file)
        end = max(part["p_offset"] + part["p_filesz"] for part in elf.iter_segments("PT_LOAD"))
        header = elf.header
        end = max(end, header["e_phoff"] + header["e_phnum"] * header["e_phentsize"])
        header["e_shoff"] = header["e_shnum"] = header["e_shstrndx"] = 0
        file.seek(0)
        file.write(elf.structs.Elf_Ehdr.build(header))
        file.truncate(end)


def check(path: Path, machine: str, glibc: Version, beside: Collection[str] = ()) -> None:
    """Raises `Unfit`: another machine's, or in need of a newer or another library than Lambda has.

    `beside`: names of the libraries that the layer has itself.
    """
    with path.open("rb") as file:
        elf = ELFFile(file)
        if elf["e_machine"] != MACHINES[machine]:
            raise Unfit(f"{path.name} is for {elf['e_machine']}, not for {machine}")
        if not elf.num_sections():
            raise Unfit(f"{path.name} has no section headers, so nobody can tell which C library it needs")
        limits = {"GLIBC": glibc, "GLIBCXX": next(GLIBCXX[each] for each in GLIBCXX if glibc >= each)}
        for library, version in _needs(elf):
            if not PROVIDED.match(library) and library not in beside:
                raise Unfit(f"{path.name} needs {library}, which Lambda does not have")
            name, _, number = version.partition("_")
            if name in limits and _numbers(number) > limits[name]:
                limit = ".".join(map(str, limits[name]))
                raise Unfit(
                    f"{path.name} needs {version} of {library}, and Lambda has {limit}; pin an older release"
                )


def _needs(elf: ELFFile) -> list[tuple[str, str]]:
    """Pairs of a needed library and a version of it, "" for any."""
    found = []
    for segment in elf.iter_segments():
        if isinstance(segment, DynamicSegment):
            found += [(tag.needed, "") for tag in segment.iter_tags("DT_NEEDED")]  # type: ignore[attr-defined]
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for needed, versions in section.iter_versions():
                found += [(needed.name, version.name) for version in versions]
    return found


def _numbers(text: str) -> Version:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
