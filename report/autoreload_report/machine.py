# SPDX-License-Identifier: MIT
# machine: what the numbers were measured on and with.
"""Nothing that names a person, a host or a directory: reports are published."""

import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import tempfile

# What is worth naming a version of, and how to ask for it: a pkg-config module, or a command's first line.
_LIBRARIES = {"Google Benchmark": "benchmark", "liburcu": "liburcu", "Boost": "boost", "GLib (GModule)": "gmodule-2.0",
              "libuv": "libuv", "libdw": "libdw"}
_TOOLS = {"ld": ["ld", "--version"], "gold": ["ld.gold", "--version"], "lld": ["ld.lld", "--version"],
          "mold": ["mold", "--version"], "valgrind": ["valgrind", "--version"], "rustc": ["rustc", "--version"]}
_PACKAGES = {"Google Benchmark": "libbenchmark-dev", "POCO": "libpoco-dev", "libltdl": "libltdl-dev",
             "Boost": "libboost-dev", "libloading": "librust-libloading-dev"}


def _output(command, directory=None):
    """A command's output, or None when it is not there or fails."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _field(path, name):
    try:
        found = re.search(rf"^{re.escape(name)}\s*[:=]\s*\"?([^\"\n]+)", pathlib.Path(path).read_text(), re.MULTILINE)
    except OSError:
        return None
    return found[1].strip() if found else None


def _versions():
    found = {}
    for name, package in _PACKAGES.items():
        version = _output(["dpkg-query", "-W", "-f", "${Version}", package])
        if version:
            found[name] = version
    for name, module in _LIBRARIES.items():
        version = _output(["pkg-config", "--modversion", module])
        if version and name not in found:
            found[name] = version
    for name, command in _TOOLS.items():
        text = _output(command)
        if text:
            found[name] = text.splitlines()[0]
    return found


def _build(build):
    """How the build was configured: Meson writes it down."""
    try:
        options = json.loads((pathlib.Path(build) / "meson-info/intro-buildoptions.json").read_text())
    except (OSError, ValueError):
        return {}
    wanted = ["buildtype", "optimization", "default_library", "b_lto", "b_ndebug", "b_sanitize"]
    return {option["name"]: option["value"] for option in options if option["name"] in wanted}


def _temporary_file_system():
    directory = os.path.realpath(tempfile.gettempdir())
    best = ("", "unknown")
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        if (directory == point or directory.startswith(point.rstrip("/") + "/")) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def describe(build, source):
    """A dictionary for machine.json."""
    commit = _output(["git", "rev-parse", "--short=12", "HEAD"], source)
    changed = _output(["git", "status", "--porcelain", "--untracked-files=no"], source)
    memory = _field("/proc/meminfo", "MemTotal")
    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory.split()[0]) / 1024 / 1024, 1) if memory else None,
        "virtual": _output(["systemd-detect-virt"]) or "unknown",
        "kernel": platform.release(),
        "system": _field("/etc/os-release", "PRETTY_NAME"),
        "libc": " ".join(platform.libc_ver()),
        "temporary_files_on": _temporary_file_system(),
        "build": _build(build),
        "versions": _versions(),
        "commit": commit,
        "commit_changed": bool(changed) if changed is not None else None,
    }


def load_average():
    return [round(value, 2) for value in os.getloadavg()]
