"""The published vectors, byte for byte: said, read, signed, sealed and hashed anew."""
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..", "..")
sys.path.insert(0, os.path.dirname(HERE))

import bencode
import cheque
import message
import seal


def load(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return json.load(file)


def raw(text):
    return bytes.fromhex(text.removeprefix("0x"))


def values(fields):
    """A struct's fields as they are hashed: text of numbers as numbers, hex as bytes."""
    for field in fields.values():
        yield raw(field) if str(field).startswith("0x") else int(field)


PAY = load("docs", "spec", "pw_pay.json")
VAULT = load("contracts", "vectors.json")


class Sealing(unittest.TestCase):
    def test_keys_and_hellos_are_those_of_the_page(self):
        first, second = PAY["initiator"], PAY["responder"]
        for side, roles, imbalance in ((first, 1, 0), (second, 3, 1)):
            self.assertEqual(seal.public_key(raw(side["secret"])), raw(side["e"]))
            said = message.encode("hello", v=1, e=raw(side["e"]), r=roles, nt=imbalance)
            self.assertEqual(said, raw(side["hello"]))
        for own, other, initiator in ((first, second, True), (second, first, False)):
            made = seal.Sealed(raw(own["secret"]), raw(other["e"]), raw(PAY["infoHash"]), initiator)
            self.assertEqual(made.secret, raw(PAY["shared"]))
            self.assertEqual(made.salt, raw(PAY["salt"]))
            for info, key in PAY["keys"].items():
                found = seal.direction_key(made.secret, made.salt, info.encode())
                self.assertEqual(found, raw(key))

    def test_the_conversation_is_sealed_and_opened_and_said_again(self):
        info_hash = raw(PAY["infoHash"])
        initiator = seal.Sealed(raw(PAY["initiator"]["secret"]), raw(PAY["responder"]["e"]),
                                info_hash, True)
        responder = seal.Sealed(raw(PAY["responder"]["secret"]), raw(PAY["initiator"]["e"]),
                                info_hash, False)
        for said in PAY["messages"]:
            first = said["from"] == "initiator"
            sender, reader = (initiator, responder) if first else (responder, initiator)
            self.assertEqual(sender.out.number, said["number"])
            inner, outer = raw(said["inner"]), raw(said["outer"])
            name, keys = message.decode(inner)
            self.assertEqual((name, message.encode(name, **keys)), (said["name"], inner))
            self.assertEqual(message.encode("sealed", x=sender.out.seal(inner)), outer)
            self.assertEqual(reader.inward.open(message.decode(outer)[1]["x"]), inner)
        for said in PAY["others"]:
            name, keys = message.decode(raw(said["inner"]))
            self.assertEqual(name, said["name"])
            self.assertEqual(message.encode(name, **keys), raw(said["inner"]))

    def test_a_changed_replayed_or_early_message_stays_closed(self):
        for change in (0, 1, 2):
            sender = seal.Direction(bytes(32))
            reader = seal.Direction(bytes(32))
            first, second = sender.seal(b"first"), sender.seal(b"second")
            if change == 0:
                wrong = first[:-1] + bytes([first[-1] ^ 1])
            elif change == 1:
                wrong = second
            else:
                wrong = first
                self.assertEqual(reader.open(first), b"first")
            with self.assertRaises(seal.SealError):
                reader.open(wrong)
            self.assertEqual(reader.open(second if change == 2 else first)[:1],
                             b"s" if change == 2 else b"f")

    def test_a_key_that_agrees_on_nothing_is_refused(self):
        with self.assertRaises(seal.SealError):
            seal.Sealed(b"\xa1" * 32, bytes(32), bytes(20), True)


class Signing(unittest.TestCase):
    def check(self, domain, kind, case, private):
        fields = list(values(case["message"]))
        found = cheque.digest(domain, kind, fields)
        self.assertEqual(found, raw(case["digest"]))
        signature = cheque.sign(private, found)
        self.assertEqual(signature, raw(case["signature"]))
        self.assertEqual(cheque.signer(found, signature), cheque.address(private))
        return fields

    def test_what_the_conversation_signed(self):
        where = PAY["domain"]
        domain = cheque.separator(int(where["chainId"]), raw(where["verifyingContract"]))
        accounts = PAY["accounts"]
        for account in accounts.values():
            self.assertEqual(cheque.address(raw(account["privateKey"])), raw(account["address"]))
        cases = [("Cheque", case) for case in PAY["cheques"]]
        for kind, case in [*cases, ("Delegate", PAY["delegate"]), ("Bind", PAY["bind"])]:
            self.check(domain, kind, case, raw(accounts[case["by"]]["privateKey"]))
        terms = raw(PAY["messages"][0]["inner"])
        found = cheque.transcript(raw(PAY["initiator"]["e"]), raw(PAY["responder"]["e"]),
                                  raw(PAY["infoHash"]), terms)
        self.assertEqual(found, raw(PAY["bind"]["transcript"]))

    def test_all_types_of_the_vault(self):
        for kind, case in VAULT["types"].items():
            self.assertEqual(cheque.TYPES[kind], case["type"])
            self.assertEqual(cheque.keccak(case["type"].encode()), raw(case["hash"]))
        domains = []
        for case in VAULT["domains"]:
            domains.append(cheque.separator(int(case["chainId"]), raw(case["verifyingContract"])))
            self.assertEqual(domains[-1], raw(case["separator"]))
        keys = [raw(key["privateKey"]) for key in VAULT["keys"]]
        for key, case in zip(keys, VAULT["keys"]):
            self.assertEqual(cheque.address(key), raw(case["address"]))
        lists = {"Cheque": "cheques", "Delegate": "delegates", "CloseLock": "closeLocks",
                 "Bind": "binds"}
        for kind, where in lists.items():
            for case in VAULT[where]:
                fields = self.check(domains[case["domain"]], kind, case, keys[case["signer"]])
                self.assertEqual(cheque.struct_hash(kind, fields), raw(case["structHash"]))
                self.assertIsNone(cheque.signer(raw(case["digest"]), raw(case["highS"])))

    def test_packed_cheques_and_bindings_of_the_vault(self):
        for case in VAULT["cheques"]:
            made = cheque.Cheque(*values(case["message"]))
            self.assertEqual(made.pack(), raw(case["packed"]))
            self.assertEqual(cheque.Cheque.unpack(made.pack()), made)
        for case in VAULT["binds"]:
            found = cheque.transcript(raw(case["initiator"]), raw(case["responder"]),
                                      raw(case["infoHash"]), raw(case["terms"]))
            self.assertEqual(found, raw(case["message"]["transcript"]))

    def test_chains_of_links(self):
        for case in [PAY["chain"], *VAULT["chains"]]:
            links = cheque.chain(raw(case["seed"]), case["links"])
            self.assertEqual(links[0], raw(case["root"]))
            for sample in case["samples"]:
                self.assertEqual(links[sample["i"]], raw(sample["w"]))
                self.assertEqual(cheque.hash_times(raw(sample["w"]), sample["i"]), links[0])

    def test_a_cheque_is_worth_nothing_with_a_wrong_link(self):
        made = cheque.Cheque(*values(PAY["cheques"][0]["message"]))
        samples = {case["i"]: raw(case["w"]) for case in PAY["chain"]["samples"]}
        self.assertEqual(made.value(4, samples[4]), 5000)
        self.assertIsNone(made.value(4, samples[2]))
        self.assertIsNone(made.value(1025, samples[4]))
        self.assertEqual(made.value(0, None), 0)


class Malformed(unittest.TestCase):
    def test_what_is_no_canonical_bencode_is_refused(self):
        for data in (b"i01e", b"i-0e", b"i-e", b"01:a", b"2:a", b"d1:bi0e1:ai0ee", b"li0e", b"",
                     b"d1:ai0e1:ai0ee", b"i0ei0e", b"i 1e", b"i+1e", b"l" * 99, b"d" * 99):
            with self.assertRaises(bencode.BencodeError, msg=data):
                bencode.decode(data)

    def test_what_the_tables_do_not_allow_is_malformed(self):
        cases = (
            {b"t": 6, b"i": 0, b"w": bytes(32)}, {b"t": 6, b"i": 4097, b"w": bytes(32)},
            {b"t": 6, b"i": 1, b"w": bytes(31)}, {b"t": 6, b"i": 1}, {b"i": 1},
            {b"t": 8, b"b": -1, b"d": b""}, {b"t": 8, b"b": 0, b"d": b"\0\1"},
            {b"t": 8, b"b": 0, b"d": bytes(17)}, {b"t": -1}, {b"t": 8, b"b": 1 << 64, b"d": b""},
            {b"t": 11, b"c": 256}, {b"t": 11, b"c": 1, b"m": b"\xff"},
            {b"t": 11, b"c": 1, b"m": b"a" * 201}, {b"t": 5, b"a": b"\1" + bytes(10) + b"\1"},
        )
        for case in cases:
            with self.assertRaises(message.Malformed, msg=case):
                message.decode(bencode.encode(case))
        with self.assertRaises(message.Malformed):
            message.decode(bencode.encode({b"t": 99, b"z": bytes(1024)}))
        self.assertIsNone(message.decode(bencode.encode({b"t": 9})))
        self.assertIsNone(message.decode(bencode.encode({b"t": 99, b"z": 1})))
        extra = bencode.encode({b"t": 8, b"b": 1, b"d": b"", b"zz": b"more"})
        self.assertEqual(message.decode(extra), ("stat", {"b": 1, "d": 0}))


if __name__ == "__main__":
    unittest.main()
