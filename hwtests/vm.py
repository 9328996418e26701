# SPDX-License-Identifier: Apache-2.0
"""Another kernel than this machine's, in QEMU by software emulation: right for correctness, worthless for speed.

The guest's root is an archive of a static busybox, the modules that are asked for, one program and the libraries that it links; it has
neither disk nor network but loopback. Its kernel is an unpacked package: hwtests/vm_kernel fetches one."""
import glob
import gzip
import io
import lzma
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
ip link set lo up
for module in /modules/*; do insmod $module || echo "no $module"; done
ulimit -c 0
{command} </dev/null
echo "guest: ended with $?"
poweroff -f
"""


class Missing(Exception):
    """What there would have to be for a guest."""


def kernel():
    """(image, folder of modules): of $PST_VM_KERNEL, else of build/vm, else of this machine."""
    places = [os.environ["PST_VM_KERNEL"]] if "PST_VM_KERNEL" in os.environ else [ROOT / "build" / "vm", "/"]
    for place in places:
        for image in sorted(glob.glob(f"{place}/boot/vmlinuz-*"), reverse=True):
            modules = f"{place}/lib/modules/{os.path.basename(image).removeprefix('vmlinuz-')}/kernel"
            if os.path.isdir(modules) and os.access(image, os.R_OK):
                return image, modules
    raise Missing("no kernel with its modules: hwtests/vm_kernel fetches one")


def program(name, package):
    found = shutil.which(name)
    if not found:
        raise Missing(f"no {name}: apt-get install {package}")
    return found


def unpacked(path):
    if path.endswith(".xz"):
        with lzma.open(path) as file:
            return file.read()
    if path.endswith(".zst"):
        return subprocess.run([program("zstd", "zstd"), "-dc", path], capture_output=True, check=True).stdout
    return pathlib.Path(path).read_bytes()


def module_files(folder, names):
    """The modules of these names that there are (others are built in, or not), each after those that it needs: [(name, bytes)]."""
    paths = {re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-", "_"): path
             for path in glob.glob(f"{folder}/**/*.ko*", recursive=True)}
    ordered = {}

    def add(name):
        name = name.replace("-", "_")
        if name in ordered or name not in paths:
            return
        content = unpacked(paths[name])
        needs = re.search(rb"(?:^|\0)depends=([^\0]*)\0", content)
        for need in needs[1].decode().split(",") if needs and needs[1] else []:
            add(need)
        ordered[name] = content
    for name in names:
        add(name)
    return list(ordered.items())


def libraries(binary):
    listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    return sorted(set(re.findall(r"(/\S+) \(0x", listed)))


class Archive:
    """A cpio archive of the "newc" kind, as the kernel unpacks it."""

    def __init__(self):
        self.out, self.made, self.inode = io.BytesIO(), set(), 0

    def entry(self, name, mode, content=b""):
        self.inode += 1
        fields = [self.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        self.out.write(head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4))

    def folder(self, name):
        if name and name not in self.made:
            self.folder(os.path.dirname(name))
            self.made.add(name)
            self.entry(name, stat.S_IFDIR | 0o755)

    def file(self, path, content):
        name = path.lstrip("/")
        self.folder(os.path.dirname(name))
        self.entry(name, stat.S_IFREG | 0o755, content)

    def packed(self):
        self.entry("TRAILER!!!", 0)
        return gzip.compress(self.out.getvalue(), compresslevel=1)


def root_of(binary, command, modules, names):
    """The archive that is a guest's root."""
    made = Archive()
    for name in ("bin", "proc", "sys", "dev", "tmp"):
        made.folder(name)
    made.file("/bin/busybox", pathlib.Path(program("busybox", "busybox-static")).read_bytes())
    made.file("/init", INIT.format(command=command).encode())
    for number, (name, content) in enumerate(module_files(modules, names)):
        made.file(f"/modules/{number:02}-{name}.ko", content)
    for path in libraries(binary):
        made.file(path, pathlib.Path(path).read_bytes())
    with tempfile.NamedTemporaryFile() as bare:  # of what debuggers want, which is most of it
        subprocess.run([program("strip", "binutils"), "-o", bare.name, binary], check=True)
        made.file("/program", pathlib.Path(bare.name).read_bytes())
    return made.packed()


def run(binary, command, names, megabytes=2048, seconds=600):
    """Boots a guest that loads the modules of these names and runs the command, whose /program is `binary`.
    Its exit status (None: it did not come so far) and all that was on the console."""
    image, modules = kernel()
    emulator = program("qemu-system-x86_64", "qemu-system-x86")
    with tempfile.NamedTemporaryFile(suffix=".cpio.gz") as root:
        root.write(root_of(binary, command, modules, names))
        root.flush()
        words = [emulator, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(megabytes), "-kernel", image, "-initrd", root.name,
                 "-append", "console=ttyS0 quiet panic=-1 mitigations=off", "-nographic", "-nodefaults", "-serial", "stdio", "-no-reboot"]
        try:
            console = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False).stdout
        except subprocess.TimeoutExpired as late:
            console = (late.stdout or b"") + b"\nguest: no end in time\n"
    text = console.decode(errors="replace").replace("\r", "")
    ended = re.search(r"guest: ended with (\d+)", text)
    return int(ended[1]) if ended else None, text
