from jupyter_kernel_mgmt.cli.versions import Versions, check_versions, installed_versions


def versions(*, curve: bool, ipc: bool) -> Versions:
    return Versions(python="3.11", pyzmq="26", libzmq="4.3", curve=curve, ipc=ipc)


def test_what_is_there_is_fine() -> None:
    """The wheels of pyzmq have everything."""
    assert check_versions(versions(curve=True, ipc=True), windows=False) == []
    assert installed_versions().libzmq.count(".") == 2


def test_what_libzmq_lacks_is_told() -> None:
    """Each with what that means."""
    found = check_versions(versions(curve=False, ipc=False), windows=False)
    assert [finding.severity for finding in found] == ["warning", "warning"]
    assert ["curve" in found[0].what, "ipc" in found[1].what] == [True, True]


def test_windows_does_not_miss_ipc() -> None:
    """There kernels use tcp anyway."""
    assert check_versions(versions(curve=True, ipc=False), windows=True) == []
