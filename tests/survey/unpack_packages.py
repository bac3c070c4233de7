#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""unpack_packages: fetches Debian packages and unpacks their shared libraries into a directory. Nothing is installed.

usage: unpack_packages.py DIRECTORY [--libraries N] [--most-bytes N]

The packages are those of the system's own suite and machine. One of each family is taken in turn, smaller ones first, until there are N
libraries: languages' run times and extensions, plug-ins, and plain libraries. They share one tree, as if they were installed below DIRECTORY;
DIRECTORY/packages has their names.
"""

import argparse
import itertools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# Each family's packages come from other compilers, languages or build systems than the next one's.
FAMILIES = {
    "run times": r"^(lib(gphobos|phobos2-ldc|gnat|gfortran|objc|std-rust|swift|go|omp|asan|tsan|lsan|ubsan|itm|quadmath|stdc\+\+|c\+\+|unwind)"
                 r"[-a-z0-9.]*|ghc|ldc|ocaml-base|nim|fp-units-.*|openjdk-17-jre-headless|mono-runtime-common|libmono.*|erlang-base|guile-3.0-libs|"
                 r"gambc|chicken-bin|libecl21.2|libgdal.*|tcl8.6|libtcl.*|libtk.*|libpython3.*-stdlib|libperl5.*|libruby3.*|libphp.*|libjulia.*|libgc.*)$",
    "D": r"^lib(gtkd-3|gtkdgl-3|gtkdsv-3|vted-3|peasd-3|gstreamerd-3|ddbus|mustache-d|vibe-.*|undead|stdx-allocator|dparse|inifiled|containers|"
         r"emsi-containers|appstream-generator|biod|msgpack-d|diet-ng|eventcore|openssl-d|vibe-core).*\d$",
    "Ada": r"^lib(gnatcoll|gnutlsada|gtkada|xmlada|ahven|aunit|aws|ada|adasockets|log4ada|alog|anet|apq|florist|gmpada|plplotada|texttools|ncursesada|"
           r"opentoken|pcscada|xmlezout|templates-parser|gprlib|langkit|libadalang|asis).*\d$",
    "Vala and GObject": r"^lib(gee|granite|vala|gom|gxml|folks|zeitgeist|camel|edata|ebook|gnome|gtk|gdl|wnck|peas|soup|secret).*\d$",
    "Haskell": r"^libghc-.*-dev$",
    "OCaml": r"^lib.*-ocaml$",
    "Python": r"^python3-",
    "Perl": r"^lib.*-perl$",
    "R": r"^r-(cran|bioc)-",
    "Ruby, Lua, PHP, Octave": r"^(ruby-|lua-|php8|php-|octave-)",
    "servers": r"^(postgresql-15-|libapache2-mod-|libnginx-mod-|asterisk-|collectd-core|samba-|slapd|dovecot-|uwsgi-plugin|freeradius|strongswan-|"
               r"libstrongswan|libcharon|bind9-libs|systemd|libnss-|libpam-|qemu-|xserver-xorg-|xfce4-|mate-|cinnamon|lxqt|gnome-|kde|plasma)",
    "media": r"^(gstreamer1.0-|vlc-plugin-|gimp|ladspa|.*-lv2|.*-ladspa|mesa-|libgl|libva|i965|intel-|lib(av|sw)[a-z]+\d|xine|obs-|audacious|deadbeef|kodi-)",
    "science": r"^lib(vtk9|insighttoolkit5|trilinos|petsc|slepc|boost|cgal|opencv|pcl|ogre|gazebo|ros|dune|deal|feel|root|geant|mfem|hdf5|netcdf|sundials|"
               r"eccodes|gsl|fftw|openblas|blis|scalapack|elpa|superlu|suitesparse|occt|coin|wx|fltk|llvm|clang|lld|mlir)[-a-z0-9.+]*$",
    "Qt and KDE": r"^(lib(qt5|qt6|kf5|kpim5|akonadi|plasma|okular|marble)|qml|qt|kf5|kio|k[a-z]+$)",
    "C and C++": r"^lib[a-z0-9.+-]*\d[a-z]*$",
}
LARGEST = 4_000_000  # bytes of a package; of most a tenth is libraries
NEVER = {"libc6"}  # two C libraries in one process don't go together


def available():
    """Names and sizes of the packages for this machine, from apt's own lists."""
    machine = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    sizes = {}
    for one in subprocess.check_output(["apt-cache", "dumpavail"], text=True, errors="replace").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Architecture|Size|Section): (.*)$", one, re.M))
        if fields.get("Architecture") == machine and fields.get("Section") not in ("debug", "doc"):
            sizes[fields["Package"]] = int(fields.get("Size", 0))
    return sizes


def in_turn(sizes):
    """Package names, one of each family after the other."""
    left = {name: size for name, size in sizes.items() if name not in NEVER}
    families = []
    for pattern in FAMILIES.values():
        mine = [name for name in left if re.match(pattern, name) and (left[name] <= LARGEST or len(families) == 0)]
        if pattern != FAMILIES["C and C++"]:
            mine = [name for name in mine if not name.endswith("-dev") or name.startswith("libghc-")]
        for name in mine:
            del left[name]
        # Every tenth first, so that a short run has small and large ones.
        mine.sort(key=lambda name: (sizes[name], name))
        families.append([name for start in range(10) for name in mine[start::10]])
    for turn in itertools.zip_longest(*families):
        yield from (name for name in turn if name is not None)


def unpack(package, into):
    """Unpacks what is named like a library. @return how many there are"""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tar:
        # The names of regular files have a line that begins with "-".
        listing = subprocess.run(["tar", "-xvv", "-C", into, "--no-same-owner", "--wildcards", "*.so", "*.so.*"], stdin=tar.stdout,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return sum(line.startswith("-") for line in listing.splitlines())


def sonames_missing(directory):
    """What the libraries there need that neither they nor the system have, by SONAME."""
    files = [str(path) for path in directory.rglob("*.so*") if path.is_file() and not path.is_symlink()]
    needed, there = set(), set()
    for start in range(0, len(files), 500):
        listing = subprocess.run(["readelf", "-dW", *files[start:start + 500]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                 errors="replace").stdout
        needed.update(re.findall(r"\(NEEDED\)\s+Shared library: \[(.+)\]", listing))
        there.update(re.findall(r"\(SONAME\)\s+Library soname: \[(.+)\]", listing))
    there.update(line.split()[0] for line in subprocess.check_output(["/sbin/ldconfig", "-p"], text=True).splitlines()[1:])
    return needed - there


def packages_of(sonames, sizes):
    """The packages that Debian's policy names so: libfoo.so.1 is in libfoo1, libfoo2-1.so.3 in libfoo2-1-3."""
    by_rule = {"libR.so": "r-base-core", "libvlccore.so.9": "libvlccore9", "libjvm.so": "openjdk-17-jre-headless"}
    names = set()
    for soname in sonames:
        name, _, version = soname.partition(".so")
        version = version.lstrip(".")
        plain = name.lower().replace("_", "-")
        for candidate in (by_rule.get(soname, ""), plain + version, f"{plain}-{version}", f"{plain}{version}t64"):
            if candidate in sizes and candidate not in NEVER:
                names.add(candidate)
                break
    return sorted(names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--libraries", type=int, default=12000)
    parser.add_argument("--most-bytes", type=int, default=3_000_000_000, help="of packages to fetch")
    chosen = parser.parse_args()
    chosen.directory.mkdir(parents=True, exist_ok=True)
    sizes = available()
    count, packages, fetched, asked = 0, [], 0, set()

    def fetch(batch):
        nonlocal count, fetched
        asked.update(batch)
        with tempfile.TemporaryDirectory() as place:
            subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *batch], cwd=place, stderr=subprocess.DEVNULL)
            for package in sorted(Path(place).glob("*.deb")):
                name = package.name.split("_")[0]
                fetched += package.stat().st_size
                found = unpack(package, chosen.directory)
                count += found
                packages += [name] if found else []
        print(f"{len(packages)} packages, {fetched / 1e6:,.0f} MB, {count} libraries", file=sys.stderr, flush=True)

    names = in_turn(sizes)
    while count < chosen.libraries and fetched < chosen.most_bytes:
        batch = list(itertools.islice(names, 40))
        if not batch:
            break
        fetch(batch)
    # What those need, or dlopen would have nothing to say of them.
    while fetched < chosen.most_bytes:
        batch = [name for name in packages_of(sonames_missing(chosen.directory), sizes) if name not in asked][:100]
        if not batch:
            break
        fetch(batch)
    (chosen.directory / "packages").write_text("".join(f"{name}\n" for name in sorted(packages)))
    print(f"{count} libraries of {len(packages)} packages in {chosen.directory}")


if __name__ == "__main__":
    main()
