"""Check a proof of `sentinel prove`: python check_proof.py PROOF PUBLIC_KEY

PUBLIC_KEY is the line that the operator gave you when sealing began. Python 3.9 or newer, nothing
else; no part of Sentinel. sealed-log.md, which stands beside this file, describes the format.
"""

import base64
import json
import sys
from hashlib import sha256, sha512

P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # Ed25519 (RFC 8032, 5.1)
D = -121665 * pow(121666, P - 2, P) % P


def need(condition, reason):
    if not condition:
        sys.exit(f"FAILED: {reason}")


def add(a, b):
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, P - 2, P) % P
    return x, (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, P - 2, P) % P


def times(n, point):
    total = (0, 1)
    while n:
        total = add(total, point) if n & 1 else total
        point, n = add(point, point), n >> 1
    return total


def point_of(data):
    y, sign = int.from_bytes(data, "little") & (2**255 - 1), data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if (x * x - square) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    need((x * x - square) % P == 0 and y < P and (x or not sign), "a point is not on the curve")
    return (P - x if x & 1 != sign else x), y


def is_signed(public, message, signature):
    need(len(public) == 32 and len(signature) == 64, "the key or the signature is not of Ed25519")
    s = int.from_bytes(signature[32:], "little")
    k = int.from_bytes(sha512(signature[:32] + public + message).digest(), "little") % Q
    base = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    right = add(point_of(signature[:32]), times(k, point_of(public)))
    return s < Q and times(s, base) == right


def canonical(document):  # RFC 8785, for strings
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


with open(sys.argv[1], encoding="utf-8") as file:
    proof = json.load(file)

# The head is a signed note (https://c2sp.org/tlog-checkpoint).
name, key_id, encoded = sys.argv[2].strip().split("+", 2)
body, _, lines = proof["head"].partition("\n\n")
signatures = [line.split(" ") for line in lines.splitlines() if line.count(" ") == 2]
signed = [base64.b64decode(s) for _, signer, s in signatures if signer == name]
mine = [s[4:] for s in signed if s[:4].hex() == key_id]
public = base64.b64decode(encoded)[1:]
need(any(is_signed(public, f"{body}\n".encode(), s) for s in mine), "the key did not sign the head")
origin, size, root, time = body.split("\n")[:4]

# The leaf commits to the fields, and each field has a salt; one that is left out a commitment.
commitments = {}
for field, shown in proof["fields"].items():
    opened = bytes.fromhex(shown.get("salt", "")) + f"{field}\0{shown.get('value')}".encode()
    commitments[field] = shown["commitment"] if "value" not in shown else sha256(opened).hexdigest()
leaf = json.loads(proof["leaf"])
need(sha256(canonical(commitments)).hexdigest() == leaf["commitment"], "the fields were changed")
need(origin == f"{name}/{leaf['tenant']}", "the head is of another log")

# The path leads from the leaf to the root of the head (RFC 9162, 2.1.3.2).
node = sha256(b"\0" + proof["leaf"].encode()).digest()
place, last = proof["position"], int(size) - 1
need(0 <= place <= last, "the leaf is behind the head")
for sibling in map(bytes.fromhex, proof["path"]):
    need(last, "the path is too long")
    if place & 1 or place == last:
        node = sha256(b"\1" + sibling + node).digest()
        while place and not place & 1:
            place, last = place >> 1, last >> 1
    else:
        node = sha256(b"\1" + node + sibling).digest()
    place, last = place >> 1, last >> 1
need(not last and node == base64.b64decode(root), "the leaf is not in the tree of the head")

print(f"OK: {leaf['kind']} {leaf['key']} is leaf {proof['position']} of {origin}, {time}")
for field, shown in proof["fields"].items():
    print(f"{field}: {shown.get('value', '(left out)')}")
