"""The status file and the lock: small files that other processes read."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from gan.base.errors import UserError
from gan.runs.owner import FILE as OWNER
from gan.runs.owner import owned, owner_of, refuse_owned
from gan.runs.status import FILE, Alarm, Life, Status, living, phase, read_status

HERE = socket.gethostname()


def test_a_life_is_written_from_its_begin_to_its_end(tmp_path):
    life = Life(tmp_path)
    life.beat(1)
    life.end("failed", 1, "too early")  # a refused resumption never began
    assert read_status(tmp_path) is None
    life.begin(3)
    assert read_status(tmp_path) == life.status
    assert (life.status.state, life.status.step, life.status.phase) == ("running", 3, "starting")
    assert (life.status.pid, life.status.host) == (os.getpid(), HERE)
    life.beat(4)
    life.beat(5)  # too soon after the one before to be written
    assert (read_status(tmp_path).step, read_status(tmp_path).phase) == (4, "training")
    with living(life), phase("evaluation"):
        assert str(read_status(tmp_path)) == "running at 4 (evaluation)"
    life.end("stopped", 6, "signal SIGTERM\nand more")
    assert str(read_status(tmp_path)) == "stopped at 6 (signal SIGTERM)"
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE]


def test_a_phase_without_a_run_is_nothing(tmp_path):
    with phase("evaluation"), living(Life(tmp_path)), phase("saving"):
        assert not list(tmp_path.iterdir())


ALARM = {"sign": "collapsed", "step": 4, "reason": "one image"}


def status(**values):
    now = "2026-01-01T00:00:00+00:00"
    return asdict(Status("running", None, 4, os.getpid(), HERE, now, now)) | values


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a run's status"),
        (b"3", "must be an object"),
        (b"{}", "lacks heartbeat"),
        (b"[" * 100_000, "bytes"),
        (b"[" * 9_000, "not a run's status"),
        (b"\xff\xfe", "not a run's status"),
        (json.dumps(status(state="flying")).encode(), "state may not be 'flying'"),
        (json.dumps(status(state=["running"])).encode(), "state may not be"),
        (json.dumps(status(step=True)).encode(), "step may not be True"),
        (json.dumps(status(step=-1)).encode(), "step may not be -1"),
        (json.dumps(status(pid=10**30)).encode(), "pid may not be"),
        (json.dumps(status(heartbeat="soon")).encode(), "not a run's status"),
        (json.dumps(status(heartbeat="0001-01-01")).encode(), "not a run's status"),
        (json.dumps(status(reason=3)).encode(), "reason may not be 3"),
        (json.dumps(status(alarms={})).encode(), "alarms must be a list"),
        (json.dumps(status(alarms=[ALARM] * 17)).encode(), "a list of at most 16"),
        (json.dumps(status(alarms=[3])).encode(), "an alarm must be an object"),
        (json.dumps(status(alarms=[ALARM | {"sign": None}])).encode(), "must have sign, step and reason"),
        (json.dumps(status(alarms=[ALARM | {"step": 1.5}])).encode(), "must have sign, step and reason"),
        (json.dumps(status(alarms=[ALARM | {"over": 3}])).encode(), "over may not be 3"),
    ],
)
def test_a_damaged_status_is_one_line(content, says, tmp_path):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(UserError, match="remove it") as error:
        read_status(tmp_path)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_status_moves_no_cursor_and_may_be_of_a_later_version(tmp_path):
    (tmp_path / FILE).write_text(json.dumps(status(state="failed", reason="a\x1b[2Jb\nc", later=1)))
    assert str(read_status(tmp_path)) == "failed at 4 (a [2Jb c)"


def test_alarms_are_kept_to_the_end_and_versions_without_them_are_read(tmp_path):
    life = Life(tmp_path)
    life.begin(0)
    life.tell([Alarm("collapsed", 4, "one image", 9), Alarm("later_sign", 5, "a\x1b")])
    life.beat(6)
    life.end("finished", 7)
    told = read_status(tmp_path)
    assert [str(alarm) for alarm in told.alarms] == ["collapsed 4 to 9", "later_sign since 5"]
    assert told.alarms[1].reason == "a ", "it moves no cursor"
    older = {key: value for key, value in status().items() if key != "alarms"}
    (tmp_path / FILE).write_text(json.dumps(older))
    assert read_status(tmp_path).alarms == ()


# The lock ---------------------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from gan.runs.owner import owned
with owned(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_another_process_is_kept_out_until_the_owner_is_gone(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout.readline() == "held\n"
        assert owner_of(tmp_path)["pid"] == holder.pid
        for tried in (lambda: refuse_owned(tmp_path), owned(tmp_path).__enter__):
            with pytest.raises(UserError, match=rf"process {holder.pid} on {HERE} trains there") as error:
                tried()
            assert "remove" not in str(error.value), "a lock that is seen goes by itself"
        holder.send_signal(signal.SIGKILL)
    assert (tmp_path / OWNER).is_file(), "the case at hand"
    assert owner_of(tmp_path) is None
    with owned(tmp_path):
        assert owner_of(tmp_path)["pid"] == os.getpid()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "environment", "free"),
    [
        ({"pid": 1}, {}, True),  # the lock is seen, so a living process of that number is another one
        ({"boot": "another", "host": HERE}, {}, True),  # this machine, before it was started anew
        ({"boot": "another", "host": "far"}, {}, False),
        ({"boot": "another", "host": "far", "job": "7", "restarts": "0"}, {"SLURM_JOB_ID": "7"}, False),
        (
            {"boot": "another", "host": "far", "job": "7", "restarts": "0"},
            {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "1"},
            True,
        ),
        (
            {"boot": "another", "host": "far", "job": "6", "restarts": "0"},
            {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "1"},
            False,
        ),
    ],
)
def test_what_an_owner_left_is_taken_over_where_it_is_surely_gone(change, environment, free, tmp_path, monkeypatch):
    with owned(tmp_path):
        mine = json.loads((tmp_path / OWNER).read_text())
    (tmp_path / OWNER).write_text(json.dumps(mine | change))
    for name in ("SLURM_JOB_ID", "SLURM_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if free:
        assert owner_of(tmp_path) is None
        with owned(tmp_path):
            pass
    else:
        with pytest.raises(UserError, match=f"on far trains there.*remove .*{OWNER}"), owned(tmp_path):
            pass
        assert (tmp_path / OWNER).is_file()


@pytest.mark.parametrize("content", [b"", b"3", b"\xff", b'{"pid": "x", "boot": []}', b"[" * 9_000])
def test_a_damaged_owner_file_keeps_nobody_out(content, tmp_path):
    (tmp_path / OWNER).write_bytes(content)
    assert owner_of(tmp_path) is None
    with owned(tmp_path):
        pass


def test_without_locks_a_living_process_counts(tmp_path, monkeypatch):
    """A stand-in for a mount without locks."""

    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with owned(tmp_path), pytest.raises(UserError, match=f"process {os.getpid()}"), owned(tmp_path):
        pass
    with owned(tmp_path):
        content = json.loads((tmp_path / OWNER).read_text())
    (tmp_path / OWNER).write_text(json.dumps(content | {"pid": 2**22 + 1}))
    with owned(tmp_path):
        pass


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write there"), owned(tmp_path / "file" / "run"):
        pass


def test_states_of_a_record():
    record = Status(**status(reason=None))
    assert str(record) == "running at 4"
    assert str(replace(record, state="finished")) == "finished"
    assert str(replace(record, state="diverged", reason="2 of 8")) == "diverged at 4 (2 of 8)"
