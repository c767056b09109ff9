"""Runs a command on a terminal of its own and types the answers to its prompts."""

import os
import pty
import select
import subprocess
import time


def converse(argv, environment, folder, script, deadline=30.0):
    """(exit code, transcript) of a dialogue.

    `script` is a list of (prompt, answer): each answer is typed once its prompt has appeared after
    the previous one. An answer of None sends Ctrl-C. Line ends of the terminal become plain ones.
    """
    master, slave = pty.openpty()
    process = subprocess.Popen(
        argv, env=environment, cwd=folder, stdin=slave, stdout=slave, stderr=slave,
        preexec_fn=_own_terminal,
    )  # fmt: skip
    os.close(slave)
    transcript, seen, steps = b"", 0, list(script)
    end = time.monotonic() + deadline
    try:
        while True:
            if time.monotonic() > end:
                raise AssertionError(f"{argv[:2]}: no end after {transcript.decode(errors='replace')!r}")
            ready, _, _ = select.select([master], [], [], 0.05)
            if ready:
                try:
                    chunk = os.read(master, 4096)
                except OSError:  # the other side is gone
                    break
                if not chunk:
                    break
                transcript += chunk
            while steps and (at := transcript.find(steps[0][0].encode(), seen)) >= 0:
                seen = at + len(steps[0][0].encode())
                _, answer = steps.pop(0)
                _wait_for_reader(master)
                os.write(master, b"\x03" if answer is None else answer.encode() + b"\n")
        code = process.wait(max(0.1, end - time.monotonic()))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)
    assert not steps, f"prompt {steps[0][0]!r} never came: {transcript.decode(errors='replace')}"
    return code, transcript.decode().replace("\r\n", "\n")


def _wait_for_reader(master):
    """A prompt may be out before echo is off and the old input flushed; let the program reach its read."""
    import termios

    end = time.monotonic() + 0.5
    while termios.tcgetattr(master)[3] & termios.ECHO and time.monotonic() < end:
        select.select([], [], [], 0.02)


def _own_terminal():
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
