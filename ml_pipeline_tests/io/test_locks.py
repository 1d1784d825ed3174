import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ml_pipeline.io.locks import exclusive_lock, take_lock

_HOLDER = """
import sys
from pathlib import Path
from ml_pipeline.io.locks import exclusive_lock
with exclusive_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0

    def hold() -> None:
        nonlocal inside, most
        for _ in range(50):
            with exclusive_lock(tmp_path / "locks" / "ledger.lock"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_an_error_inside_the_block_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "ledger.lock"
    with pytest.raises(RuntimeError), exclusive_lock(path):
        raise RuntimeError
    with exclusive_lock(path):
        assert path.exists()


def test_a_killed_holder_leaves_no_lock_behind(tmp_path: Path) -> None:
    path = tmp_path / "ledger.lock"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
    ) as holder:  # fmt: skip
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        taken = threading.Event()

        def take() -> None:
            with exclusive_lock(path):
                taken.set()

        waiter = threading.Thread(target=take)
        waiter.start()
        assert not taken.wait(0.2)
        holder.send_signal(signal.SIGKILL)
        waiter.join(10)
        assert taken.is_set()


def test_a_lock_is_taken_without_waiting_and_goes_on_in_a_child_that_inherits_it(tmp_path: Path) -> None:
    held = take_lock(tmp_path / "locks" / "daemon.lock")
    assert held is not None
    assert take_lock(tmp_path / "locks" / "daemon.lock") is None
    with subprocess.Popen(["sleep", "60"], pass_fds=[held]) as child:
        os.close(held)
        assert take_lock(tmp_path / "locks" / "daemon.lock") is None
        child.kill()
    free = take_lock(tmp_path / "locks" / "daemon.lock")
    assert free is not None
    os.close(free)
