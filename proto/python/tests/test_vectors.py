"""The vectors of the contract, which every implementation runs."""

import json
import struct
import unittest

import numpy as np

from ndring import _layout as L
from ndring import errors, header, identity, message, table
from ndring.dtype import NUMPY
from ndring.remote import Chunks, decode_result_head
from ndring.segment import Segment, add
from vectors import FOLDER, cases, unhex

ERRORS = {
    "magic": errors.MagicError, "endian": errors.EndianError, "version": errors.VersionError,
    "feature": errors.FeatureError, "not-ready": errors.NotReadyError, "checksum": errors.ChecksumError,
    "truncated": errors.TruncatedError, "geometry": errors.GeometryError, "header": errors.HeaderError,
    "shape": errors.ShapeError, "message": errors.MessageError, "name": errors.InvalidNameError,
}


def constant_name(go: str) -> str:
    """IdRingID becomes ID_RING_ID."""
    import re
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", go).upper()


class Vectors(unittest.TestCase):
    def refused(self, case, decode):
        """Runs decode and returns its result, or None if the case must fail, and
        did, with its error and no other."""
        if not case.has("error"):
            return decode()
        with self.assertRaises(errors.ContractError) as caught:
            decode()
        self.assertIs(type(caught.exception), ERRORS[case.text("error")], caught.exception)
        return None

    def test_layout(self):
        """Check that each constant of layout.txt is the generated module's."""
        known = {name.replace("_", ""): value for name, value in vars(L).items() if isinstance(value, int)}
        seen = 0
        for line in (FOLDER / "layout.txt").read_text().splitlines():
            line = line.split("#", 1)[0].strip()
            if line:
                name, value = line.split(" = ")
                self.assertEqual(known.get(name.upper()), int(value), name)
                seen += 1
        self.assertGreater(seen, 200)

    def test_headers(self):
        """Check that each header decodes to its fields, or fails with its error, and
        that encoding gives the same bytes."""
        for case in cases("headers.txt"):
            with self.subTest(str(case)):
                space, stored = case.number("space"), case.bytes("bytes")
                src = stored.ljust(min(space, L.HEAD_MAX), b"\0")[:max(space, 0)]
                h = self.refused(case, lambda: header.decode(src, space, case.number("position"), case.number("limit")))
                if h is None:
                    continue
                for key, name in (
                        ("kind", "kind"), ("number", "number"), ("payload", "payload_len"), ("dtype", "dtype"),
                        ("flags", "flags"), ("ext_flags", "ext_flags"), ("role", "role"), ("sequence", "sequence"),
                        ("time", "time_ns"), ("stream", "stream"), ("source", "source"), ("source_id", "source_id"),
                        ("head", "head_bytes"), ("frame", "frame_bytes")):
                    if h.kind == L.KIND_PADDING and key == "dtype" and not case.has(key):
                        continue
                    self.assertEqual(getattr(h, name), case.number(key), key)
                if h.kind == L.KIND_PADDING:
                    continue
                self.assertEqual(h.shape, case.numbers("shape"))
                self.assertEqual(h.strides, case.numbers("strides"))
                if not case.has("encode"):
                    encoded = struct.pack("<Q", case.number("position") | h.kind) + h.encode()[8:]
                    self.assertEqual(encoded, stored.ljust(h.head_bytes, b"\0")[:h.head_bytes])

    def test_identity(self):
        """Check each identity region."""
        for case in cases("identity.txt"):
            with self.subTest(str(case)):
                image = case.image(L.IDENTITY_BYTES)
                i = self.refused(case, lambda: identity.decode_identity(bytes(image)))
                if i is None:
                    continue
                for key in ("major", "minor", "optional", "writer_off", "writer_bytes", "data_off", "capacity", "frame_limit",
                            "start", "created_ns", "creator_pid", "creator_uid", "policy", "slots", "schema_dtype", "schema_ndim"):
                    self.assertEqual(getattr(i, key), case.number(key), key)
                self.assertEqual(i.ring_id.hex(), case.text("ring_id") if case.has("ring_id") else "00" * 16)
                self.assertEqual(i.schema_shape, case.numbers("schema_shape") or (0,) * 8)
                for key in ("name", "creator_exe"):
                    self.assertEqual(getattr(i, key), case.text(key) if case.has(key) else "", key)
                self.assertEqual(i.meta, case.bytes("meta"))
                if not case.has("encode"):
                    self.assertEqual(i.encode()[:L.ID_READY].hex(), bytes(image[:L.ID_READY]).hex())

    def test_table(self):
        """Check each reader table."""
        for case in cases("table.txt"):
            with self.subTest(str(case)):
                image = bytes(case.image(0))
                head = self.refused(case, lambda: table.decode_table_head(image, len(image)))
                if head is None:
                    continue
                for key in ("major", "minor", "slots", "epoch"):
                    self.assertEqual(getattr(head, key), case.number(key), key)
                self.assertEqual(head.ring_id.hex(), case.text("ring_id") if case.has("ring_id") else "00" * 16)
                self.assertEqual(head.encode(), image[:len(head.encode())])
                for i, want in enumerate(case.fields.get("slot", [])):
                    raw = image[table.slot_offset(i):table.slot_offset(i + 1)]
                    slot = table.decode_slot(raw)
                    got = "%d %s" % (i, " ".join(str(v) for v in slot[:-1])) + " " + (slot.name or "-")
                    self.assertEqual(got, want)
                    if slot.state <= L.SLOT_EVICTED:
                        self.assertEqual(slot.encode(), raw[:len(slot.encode())])

    def test_messages(self):
        """Check each packet."""
        names = {"hello": L.MSG_HELLO, "welcome": L.MSG_WELCOME, "refusal": L.MSG_REFUSAL, "published": L.MSG_PUBLISHED,
                 "released": L.MSG_RELEASED, "evicted": L.MSG_EVICTED, "closed": L.MSG_CLOSED, "ping": L.MSG_PING,
                 "pong": L.MSG_PONG, "goodbye": L.MSG_GOODBYE}
        for case in cases("messages.txt"):
            with self.subTest(str(case)):
                packet = case.bytes("bytes")
                m = self.refused(case, lambda: message.decode(packet))
                if m is None:
                    continue
                self.assertEqual(message.type_of(packet), names[case.text("type")])
                for key, value in m._asdict().items():
                    if isinstance(value, bytes):
                        self.assertEqual(value.hex(), case.text(key) if case.has(key) else "00" * 16, key)
                    elif isinstance(value, str):
                        self.assertEqual(value, case.text(key) if case.has(key) else "", key)
                    elif key != "type":
                        self.assertEqual(value, case.number(key), key)
                if not case.has("encode"):
                    self.assertEqual(m.encode().hex(), packet.hex())

    def test_segments(self):
        """Check the walk over each segment, from its first frame and from its tail,
        and the arrays it meets."""
        for case in cases("segments.txt"):
            with self.subTest(str(case)):
                image = case.image(0)
                i = identity.decode_identity(bytes(image[:L.IDENTITY_BYTES]))
                s = Segment(image, i)
                for key, field in (("epoch", L.WR_EPOCH), ("limit", L.WR_LIMIT), ("tail", L.WR_TAIL),
                                   ("number", L.WR_NUMBER), ("flags", L.WR_FLAGS)):
                    self.assertEqual(s.word(field), case.number(key), key)
                self.assertEqual(s.word(L.WR_FINAL), case.number("final") | 1 if case.has("ended") else 0)
                listed = case.fields.get("frame", [])
                first = int(listed[0].split()[0], 0) if listed else case.number("tail")
                met, end, following = [], first, 0
                for at, h in s.walk(first):
                    met.append(self.frame(s, at, h))
                    end, following = add(at, h.frame_bytes), h.number + (h.kind != L.KIND_PADDING)
                self.assertEqual(end, case.number("end"))
                self.assertEqual(following, case.number("next"))
                self.assertEqual(met, [self.listed(line) for line in listed])
                *_, last = [case.number("tail")] + [add(at, h.frame_bytes) for at, h in s.walk(case.number("tail"))]
                self.assertEqual(last, end)
                if case.has("error"):
                    self.refused(case, lambda: s.header(end))

    @staticmethod
    def frame(s, at, h):
        if h.kind == L.KIND_PADDING:
            return (at, h.kind, h.number, 0, (), b"")
        off = s.data_off + (at & s.mask) + h.head_bytes
        s.array(at, h)  # must lie inside
        return (at, h.kind, h.number, h.dtype, h.shape, bytes(s.bytes[off:off + h.payload_len]))

    @staticmethod
    def listed(line):
        at, kind, number, dtype, shape, *payload = line.split()
        dims = () if shape in ("-", "scalar") else tuple(int(n) for n in shape.split("x"))
        return (int(at, 0), int(kind), int(number), int(dtype), dims, b"" if payload == ["-"] else unhex(" ".join(payload)))

    def test_npy(self):
        """Check that NumPy's reading of each .npy file is what the index says of it:
        dtype by code, shape, and elements in C order."""
        code = {t.name: c for c, t in L.DTYPES.items()}
        for line in (FOLDER / "npy" / "index.txt").read_text().splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            name, dtype, shape, digits = line.split()
            with self.subTest(name):
                if name == "blanks.npy":
                    continue  # begins with a newline, which NumPy does not parse
                a = np.load(FOLDER / "npy" / name)
                self.assertEqual(a.dtype.newbyteorder("<"), NUMPY[code[dtype]])
                self.assertEqual(a.shape, () if shape == "-" else tuple(int(n) for n in shape.split(",")))
                a = np.ascontiguousarray(a, NUMPY[code[dtype]])
                self.assertEqual(a.tobytes().hex(), "" if digits == "-" else digits)

    def test_seed_conversation(self):
        """Check that the bridge's client encodes each chunk as recorded, decodes each
        result, and rebuilds every PRIMARY from the one before and its DELTA."""
        conversation = json.loads((FOLDER / "seed-conversation.json").read_text())
        chunks, rebuilt = Chunks(), 0
        for step in conversation["frames"]:
            sent = bytes.fromhex(step["send"])
            values = np.frombuffer(sent[L.SEED_CHUNK_HEAD_BYTES:], "<f8")
            self.assertEqual(chunks.encode(values), sent)
            for want in step["recv"]:
                payload = bytes.fromhex(want["payload"])
                head = struct.pack(">QIB", 7, want["seq"], want["type"])
                time_ns, sequence, role = decode_result_head(head)
                self.assertEqual(chunks.result_bytes(sequence), len(payload))
                r = chunks.take(time_ns, sequence, role, payload)
                if r is not None and r.delta is not None:
                    np.testing.assert_allclose(r.rebuilt, r.primary, rtol=1e-12)
                    rebuilt += 1
        self.assertGreater(rebuilt, 2)


if __name__ == "__main__":
    unittest.main()
