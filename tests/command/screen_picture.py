#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# screen_picture: runs a command in a terminal of its own, plays a scene, and writes what its screen shows as pictures.
#
# A tool for people, not a test: screen_test.cpp judges, and this shows. It needs python3-pyte and python3-pil.
#   screen_picture.py OUT-PREFIX SCENE [--size 80x24] -- COMMAND...
# SCENE is a file of lines: `wait TEXT` (until the screen shows it), `key KEYS` (with escapes such as \\r and \\t), `run SHELL-COMMAND`, `sleep SECONDS`,
# `size COLUMNSxROWS`, `picture NAME`. Each picture is written twice: NAME-light.png and NAME-dark.png.
import argparse
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pyte
from PIL import Image, ImageDraw, ImageFont

THEMES = {
    "light": {"default": "#1f2328", "back": "#ffffff", "red": "#cf222e", "green": "#116329", "brown": "#7d4e00",
              "blue": "#0550ae", "magenta": "#8250df", "cyan": "#1b7c83", "white": "#6e7781", "black": "#24292f"},
    "dark": {"default": "#d4d4d4", "back": "#1e1e1e", "red": "#f14c4c", "green": "#23d18b", "brown": "#e5e510",
             "blue": "#3b8eea", "magenta": "#d670d6", "cyan": "#29b8db", "white": "#e5e5e5", "black": "#666666"},
}
FONTS = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono"


class Screen(pyte.Screen):
    """pyte drops faint text (SGR 2); here it is kept as the mark `italics`."""

    def select_graphic_rendition(self, *attributes, **rest):
        super().select_graphic_rendition(*attributes, **rest)
        if 2 in attributes:
            self.cursor.attrs = self.cursor.attrs._replace(italics=True)
        if 0 in attributes or not attributes:
            self.cursor.attrs = self.cursor.attrs._replace(italics=False)


def mixed(front, back, part):
    a, b = (tuple(int(c[i:i + 2], 16) for i in (1, 3, 5)) for c in (front, back))
    return tuple(int(x * part + y * (1 - part)) for x, y in zip(a, b))


def draw(screen, theme, path):
    colours = THEMES[theme]
    size = 15
    plain, bold = (ImageFont.truetype(FONTS + kind + ".ttf", size) for kind in ("", "-Bold"))
    wide, high = round(plain.getlength("M")), size + 4
    image = Image.new("RGB", (screen.columns * wide + 12, screen.lines * high + 12), colours["back"])
    pen = ImageDraw.Draw(image)
    for y in range(screen.lines):
        for x in range(screen.columns):
            cell = screen.buffer[y][x]
            if not cell.data.strip():
                continue
            front = mixed(colours.get(cell.fg, colours["default"]), colours["back"], 0.55 if cell.italics else 1)
            pen.text((6 + x * wide, 6 + y * high), cell.data, font=bold if cell.bold else plain, fill=front)
    image.save(path)


class Terminal:
    def __init__(self, command, columns, rows):
        self.screen = Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.child, self.file = pty.fork()
        if self.child == 0:
            os.environ.update(TERM="xterm-256color", LANG="C.UTF-8", LC_ALL="C.UTF-8")
            os.execvp(command[0], command)
        self.resize(columns, rows)

    def resize(self, columns, rows):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.file], [], [], left)[0]:
                return
            try:
                data = os.read(self.file, 65536)
            except OSError:
                return
            if not data:
                return
            # pyte prints the letters of private modes that it does not know.
            self.stream.feed(data.replace(b"\033[?2026h", b"").replace(b"\033[?2026l", b""))

    def wait(self, text, limit=20):
        end = time.monotonic() + limit
        while not any(text in line for line in self.screen.display):
            if time.monotonic() > end:
                sys.exit("never shown: " + text + "\n" + "\n".join(self.screen.display))
            self.read(0.05)

    def close(self):
        os.kill(self.child, signal.SIGTERM)
        os.waitpid(self.child, 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("prefix")
    parser.add_argument("scene")
    parser.add_argument("--size", default="80x24")
    split = sys.argv.index("--")
    arguments = parser.parse_args(sys.argv[1:split])
    command = sys.argv[split + 1:]
    columns, rows = map(int, arguments.size.split("x"))
    terminal = Terminal(command, columns, rows)
    try:
        for line in open(arguments.scene, encoding="utf-8"):
            verb, _, rest = line.strip().partition(" ")
            if verb == "wait":
                terminal.wait(rest)
            elif verb == "key":
                os.write(terminal.file, rest.encode().decode("unicode_escape").encode("latin-1"))
            elif verb == "run":
                subprocess.run(rest, shell=True, check=True)
            elif verb == "sleep":
                terminal.read(float(rest))
            elif verb == "size":
                terminal.resize(*map(int, rest.split("x")))
            elif verb == "picture":
                terminal.read(0.2)
                for theme in THEMES:
                    draw(terminal.screen, theme, f"{arguments.prefix}{rest}-{theme}.png")
    finally:
        terminal.close()


if __name__ == "__main__":
    main()
