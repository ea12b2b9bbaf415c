"""One process under measurement: its CPU time, its peak memory, what it printed, and its end."""
import os
import signal
import socket
import subprocess
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_S = 0.05
STOP_S = 8


def lo_bytes():
    """Bytes received on `lo` of this network namespace."""
    with open("/proc/self/net/dev") as file:
        for line in file:
            if line.strip().startswith("lo:"):
                return int(line.split(":")[1].split()[0])
    return 0


def free_port(host):
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


class Process:
    def __init__(self, command, log, env=None):
        self._log = log
        with open(log, "wb") as out:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                           stderr=subprocess.STDOUT, start_new_session=True,
                                           env=dict(os.environ, **(env or {})))
        self.pid = self._child.pid
        self._code = self._usage = None
        self._cpu_s, self._threads, self.peak_kib = 0.0, {}, 0
        self._lines, self._read = [], 0
        self._lock = threading.Lock()
        self._is_stopping = False
        threading.Thread(target=self._sample_on, daemon=True).start()

    def exit_code(self):
        """None while it runs."""
        with self._lock:
            if self._code is None:
                pid, status, usage = os.wait4(self.pid, os.WNOHANG)
                if pid:
                    self._code = os.waitstatus_to_exitcode(status)
                    self._usage = usage
                    self._child.returncode = self._code
            return self._code

    def cpu_s(self):
        """User and system seconds so far, or of its whole life once it has ended."""
        if self._usage is not None:
            return self._usage.ru_utime + self._usage.ru_stime
        try:
            with open("/proc/%d/stat" % self.pid) as file:
                fields = file.read().rpartition(")")[2].split()
            self._cpu_s = (int(fields[11]) + int(fields[12])) / TICKS
        except (OSError, IndexError):
            pass
        return self._cpu_s

    def threads(self):
        """Per thread: seconds on a CPU, and seconds runnable but waiting for one."""
        try:
            for thread in os.listdir("/proc/%d/task" % self.pid):
                with open("/proc/%d/task/%s/schedstat" % (self.pid, thread)) as file:
                    run, wait, _ = file.read().split()
                self._threads[thread] = (int(run) / 1e9, int(wait) / 1e9)
        except (OSError, ValueError):
            pass
        return dict(self._threads)

    def memory(self):
        """VmRSS and VmHWM in KiB. (ru_maxrss would contain what the harness had at the fork.)"""
        now = 0
        try:
            with open("/proc/%d/status" % self.pid) as file:
                for line in file:
                    key, _, value = line.partition(":")
                    if key == "VmHWM":
                        self.peak_kib = max(self.peak_kib, int(value.split()[0]))
                    elif key == "VmRSS":
                        now = int(value.split()[0])
        except (OSError, ValueError):
            pass
        return now

    def lines(self, prefix):
        """The whole lines printed so far that begin with `prefix`."""
        with open(self._log, "rb") as file:
            file.seek(self._read)
            data = file.read()
        end = data.rfind(b"\n") + 1
        self._read += end
        self._lines += data[:end].decode("utf8", "replace").splitlines()
        return [line for line in self._lines if line.startswith(prefix)]

    def last_line(self):
        with open(self._log, "rb") as file:
            lines = file.read()[-2000:].decode("utf8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def stop(self, with_signal=signal.SIGTERM):
        """Asks it to end, waits, and kills it if it does not."""
        self._is_stopping = True
        for how, patience in ((with_signal, STOP_S), (signal.SIGKILL, STOP_S)):
            if self.exit_code() is not None:
                return
            self.memory()
            os.kill(self.pid, how)
            end = time.monotonic() + patience
            while self.exit_code() is None and time.monotonic() < end:
                time.sleep(0.01)

    def _sample_on(self):
        while not self._is_stopping and self._code is None:
            self.memory()
            self.cpu_s()
            self.threads()
            time.sleep(SAMPLE_S)
