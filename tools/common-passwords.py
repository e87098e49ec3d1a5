#!/usr/bin/env python3
"""Makes shared/domain/data/common-passwords.bin: what a new password must not be, as sorted 32-bit hashes.

From the lists of zxcvbn (MIT: Dan Wheeler, Dropbox; @zxcvbn-ts): the passwords most often found in breaches, and French
given and family names. The lists that are under other terms are left alone. Needs npm; run it where you are:

    tools/common-passwords.py 4.1.3 4.1.2
"""

import io
import json
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile

SHORTEST = 8
# What the lists lack: the rows of a French keyboard, and French people's first ideas.
FRENCH = """
azertyui azertyuiop azerty12 azerty123 azerty1234 azerty12345 azerty123456 azertyazerty 1234azer azer1234 aqwzsxedc
qsdfghjk qsdfghjkl qsdfghjklm wxcvbn123 &é"'(-è_ motdepasse motdepasse1 motdepasse123 monmotdepasse mot-de-passe
motdepass password1 bonjour1 bonjour12 bonjour123 bonsoir123 soleil123 soleil12 marseille marseille13 olympique
chouchou chouchoute doudou123 loulou123 jetaime1 jetaime123 jtaime123 maman123 mamanpapa papamaman papa1234
princesse coucou123 nicolas1 toulouse bordeaux paris2024 france123 allezleom secret123 docteur1 medecin1 sante123
""".split()


def names(package: str, version: str, files: list[str]) -> set[str]:
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True, stdout=subprocess.PIPE)
        archive = pathlib.Path(folder, packed.stdout.decode().split()[-1]).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        lists = [json.load(tar.extractfile(f"package/src/{file}.json")) for file in files]
    return {word for words in lists for word in words}


def fnv1a(text: str) -> int:
    """The 64 bits of FNV-1a, folded to 32: there is nobody to defend a public list against."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return (value >> 32) ^ (value & 0xFFFFFFFF)


def main(common: str, french: str) -> None:
    words = names("@zxcvbn-ts/language-common", common, ["passwords"])
    words |= names("@zxcvbn-ts/language-fr", french, ["firstnames", "lastnames"])
    words = {word.lower() for word in words | set(FRENCH)}
    hashes = sorted({fnv1a(word) for word in words if len(word) >= SHORTEST})
    target = pathlib.Path(__file__).parent.parent / "shared/domain/data/common-passwords.bin"
    target.write_bytes(struct.pack(f">{len(hashes)}I", *hashes))
    print(f"{len(hashes)} hashes, {target.stat().st_size} bytes")


main(*sys.argv[1:])
