"""What an order to end connections may say."""

import json
import unittest

from belfry import order


class Order(unittest.TestCase):
    def test_it_says_user_and_session(self):
        for arguments, body in [((7, None), {"user": 7}), (("7", None), {"user": "7"}), (("änn", "s"), {"user": "änn", "session": "s"})]:
            made = order.make(*arguments, None)
            self.assertEqual(json.loads(made.body), body)
            self.assertTrue(made.message_id)
        self.assertEqual(order.make(7, None, "mine").message_id, "mine")

    def test_what_ends_more_than_was_meant_is_refused(self):
        for user, session in [("", None), ("*", None), ("a*", None), ("7\n", None), ("u" * 256, None), ("ü" * 256, None), ("\u202e7", None),
                              (7, ""), (7, "\n"), (7, "s" * 256)]:
            with self.subTest(user=user, session=session), self.assertRaises(ValueError):
                order.make(user, session, None)
        for user, session in [(None, None), (True, None), (7.0, None), ({}, None), (7, 8)]:
            with self.subTest(user=user, session=session), self.assertRaises(TypeError):
                order.make(user, session, None)
