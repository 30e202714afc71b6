"""`Job`: a kernel and what it starts on Windows, ended as one, also when this process is killed.

Sources: Jupyter's kernels, "Interrupting on Windows" (the event of which ``JPY_INTERRUPT_EVENT`` holds the
handle); Windows' documentation of job objects, CreateEvent and inherited handles.
"""

import ctypes
import logging
import signal
import subprocess
import sys
from collections.abc import Mapping
from ctypes import wintypes
from typing import Any

assert sys.platform == "win32", "elsewhere a kernel has a session"

log = logging.getLogger(__name__)

_kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
for _name, _result, _arguments in (
    ("CreateJobObjectW", wintypes.HANDLE, (wintypes.LPVOID, wintypes.LPCWSTR)),
    (
        "SetInformationJobObject",
        wintypes.BOOL,
        (wintypes.HANDLE, ctypes.c_int, wintypes.LPVOID, wintypes.DWORD),
    ),
    ("AssignProcessToJobObject", wintypes.BOOL, (wintypes.HANDLE, wintypes.HANDLE)),
    ("TerminateJobObject", wintypes.BOOL, (wintypes.HANDLE, wintypes.UINT)),
    ("CreateEventW", wintypes.HANDLE, (wintypes.LPVOID, wintypes.BOOL, wintypes.BOOL, wintypes.LPCWSTR)),
    ("SetEvent", wintypes.BOOL, (wintypes.HANDLE,)),
    ("SetHandleInformation", wintypes.BOOL, (wintypes.HANDLE, wintypes.DWORD, wintypes.DWORD)),
    ("OpenProcess", wintypes.HANDLE, (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)),
    ("GetCurrentProcessId", wintypes.DWORD, ()),
    ("CloseHandle", wintypes.BOOL, (wintypes.HANDLE,)),
):
    _function = getattr(_kernel32, _name)
    _function.restype, _function.argtypes = _result, _arguments

_EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation
_KILL_ON_CLOSE = 0x2000
_INHERIT = 0x1
_SYNCHRONIZE = 0x100000
_ENDED_BY = 1
"""The exit code of what is ended here; Windows has no signals that could be told instead."""


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", wintypes.LARGE_INTEGER),
        ("PerJobUserTimeLimit", wintypes.LARGE_INTEGER),
        ("LimitFlags", wintypes.DWORD),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", wintypes.DWORD),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", wintypes.DWORD),
        ("SchedulingClass", wintypes.DWORD),
    )


class _ExtendedLimits(ctypes.Structure):
    _fields_ = (
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", ctypes.c_ulonglong * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


class Job:
    """A job object, an event that interrupts, and a handle of ours by which the kernel sees that we ended.

    What the process starts before it is in the job, in its first microseconds, is not in it.
    """

    def __init__(self) -> None:
        self._handles: list[int] = []
        try:
            self._job = self._own(_kernel32.CreateJobObjectW(None, None))
            limits = _ExtendedLimits()
            limits.BasicLimitInformation.LimitFlags = _KILL_ON_CLOSE
            _check(
                _kernel32.SetInformationJobObject(
                    self._job, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
                )
            )
            self._interrupt = self._own(_kernel32.CreateEventW(None, False, False, None))
            self._parent = self._own(
                _kernel32.OpenProcess(_SYNCHRONIZE, False, _kernel32.GetCurrentProcessId())
            )
            for handle in (self._interrupt, self._parent):
                _check(_kernel32.SetHandleInformation(handle, _INHERIT, _INHERIT))
        except BaseException:
            self.close()
            raise

    def options(self) -> dict[str, Any]:
        """It inherits the two handles, and of others only its standard ones: those are added to the list."""
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [self._interrupt, self._parent]})
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"startupinfo": startup, "close_fds": True, "creationflags": flags}

    def environment(self) -> Mapping[str, str]:
        event = str(self._interrupt)
        return {
            "JPY_PARENT_PID": str(self._parent),
            "JPY_INTERRUPT_EVENT": event,
            "IPY_INTERRUPT_EVENT": event,  # what older kernels look for
        }

    def started(self, process: "subprocess.Popen[bytes]") -> None:
        _check(_kernel32.AssignProcessToJobObject(self._job, int(process._handle)))  # type: ignore[attr-defined]

    def signal(self, number: int) -> None:
        if not self._handles:
            return
        if number == signal.SIGINT:
            done = _kernel32.SetEvent(self._interrupt)
        else:
            done = _kernel32.TerminateJobObject(self._job, _ENDED_BY)
        if not done:
            log.debug("A kernel's job was not signalled: %s", ctypes.WinError(ctypes.get_last_error()))

    def close(self) -> None:
        """The end of whatever still runs in the job."""
        while self._handles:
            _kernel32.CloseHandle(self._handles.pop())

    def _own(self, handle: int | None) -> int:
        _check(handle)
        assert handle is not None, "it was just checked"
        self._handles.append(handle)
        return handle


def _check(result: object) -> None:
    if not result:
        raise ctypes.WinError(ctypes.get_last_error())
