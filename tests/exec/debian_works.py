# SPDX-License-Identifier: MIT
"""debian_works: programs that programs.py runs, and how each is kept at work while its library is replaced.

A session is one run of a program. `step` gives it a little more to do, again and again; `finish` lets it come to its end. What it made is
its `output`: of two sessions with as many steps it is the same, unless something went wrong.
"""
import hashlib
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

PATIENCE = 60  # seconds


class Session:
    """A program that reads a stream: its head, a block for each step, and its tail."""

    def __init__(self, work, words, directory, environment, errors):
        self.work, self.steps, self.bytes, self.digest = work, 0, 0, hashlib.sha256()
        self.program, self.environment = Path(words[words.index('--') + 1 if '--' in words else 0]), {**os.environ, **environment}
        self.process = subprocess.Popen(words, cwd=directory, env=self.environment, stderr=errors, **self.ends())
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.begin(directory)

    def ends(self):
        return {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE}

    def begin(self, directory):
        self.to = self.process.stdin
        self.put(self.work.stream.head)

    def read(self):
        while part := self.process.stdout.read(65536):
            self.digest.update(part)

    def put(self, data):
        self.bytes += len(data)
        try:
            self.to.write(data)
            self.to.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass

    def step(self):
        stream = self.work.stream
        if self.steps == stream.most:
            time.sleep(0.005)
            return
        self.put(stream.block(self.steps))
        self.steps += 1

    def finish(self):
        """@return its exit status"""
        while self.work.stream.most is not None and self.steps < self.work.stream.most:
            self.step()
        self.put(self.work.stream.tail(self.steps))
        try:
            self.to.close()
        except BrokenPipeError:
            pass
        status = self.process.wait(PATIENCE * 2)
        self.reader.join(PATIENCE)
        return status

    def output(self):
        return self.digest.hexdigest()


class Reading(Session):
    """The whole input comes at once, and each step reads a little of the output."""

    def begin(self, directory):
        super().begin(directory)
        self.writer = threading.Thread(target=self.write, daemon=True)
        self.writer.start()

    def write(self):
        self.put(self.work.stream.block(0))
        self.to.close()

    def read(self):
        pass

    def step(self):
        if select.select([self.process.stdout], [], [], 0.1)[0]:
            self.digest.update(os.read(self.process.stdout.fileno(), 4096))
        self.steps += 1

    def finish(self):
        super().read()
        self.writer.join(PATIENCE)
        return self.process.wait(PATIENCE)


class Packing(Session):
    """Its output is what can be unpacked from the file `packed`: no two archives of sqfstar's are the same."""

    def ends(self):
        (self.work.directory / 'packed').unlink(missing_ok=True)
        return super().ends()

    def output(self):
        place = self.work.directory / 'unpacked'
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([self.program.with_name('unsquashfs'), '-no-progress', '-d', place, 'packed'], cwd=self.work.directory, env=self.environment,
                       stdout=subprocess.DEVNULL, check=True)
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in place.iterdir()}


class Fetching(Session):
    """A client: the stream comes by HTTP, compressed, from where the words lead to."""

    def begin(self, directory):
        peer, _ = self.work.listening.accept()
        while b'\r\n\r\n' not in peer.recv(65536):
            pass
        self.to = peer.makefile('wb')
        peer.close()
        self.put(b'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n' + self.work.stream.head)


class Serving(Session):
    """A server under load: each step is a request by each of four threads. Its output is what each address answers."""

    def begin(self, directory):
        self.answers, self.lock = {}, threading.Lock()
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(('127.0.0.1', self.work.port)).close()
                return
            except OSError:
                time.sleep(0.01)

    def ask(self, path):
        try:
            request = urllib.request.Request(f'http://127.0.0.1:{self.work.port}/{path}', headers={'Accept-Encoding': 'gzip'})
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                body = answer.read()
                said = answer.headers.get('Content-Encoding', 'plain') + ' ' + hashlib.sha256(body).hexdigest()
        except OSError as failure:
            body, said = b'', str(failure)
        with self.lock:
            self.answers.setdefault(path, set()).add(said)
            self.bytes += len(body)

    def step(self):
        asking = [threading.Thread(target=self.ask, args=(f'{i}.txt',)) for i in range(4)]
        for one in asking:
            one.start()
        for one in asking:
            one.join()
        self.steps += 1

    def finish(self):
        self.process.send_signal(signal.SIGQUIT)  # which lets nginx answer what it was asked
        return self.process.wait(PATIENCE)

    def output(self):
        return {path: sorted(said) for path, said in self.answers.items()}


class Stream:
    """@param most  how many blocks it always has; None: any number"""

    def __init__(self, block, head=b'', tail=lambda count: b'', most=None):
        self.head, self.block, self.tail, self.most = head, block if callable(block) else lambda i: block, tail, most


class Work:
    """A program, its arguments, and what it is fed. A program that is not the system's comes from the first of `packages`; the others have libraries
    that it needs. `prepare` makes files in a directory, and the stream."""

    def __init__(self, name, packages, program, library, words, what, prepare, session=Session):
        self.name, self.packages, self.program, self.library = name, packages, program, library
        self.words, self.what, self.prepare, self.session = words, what, prepare, session

    def begin(self, directory, library):
        """@return its arguments"""
        self.directory = directory
        self.listening = socket.create_server(('127.0.0.1', 0))
        self.listening.settimeout(PATIENCE)
        self.port = self.listening.getsockname()[1]
        if self.session is Serving:
            self.listening.close()
        self.stream = self.prepare(self)
        return [word.replace('{library}', str(library)).replace('{port}', str(self.port)) for word in self.words]
