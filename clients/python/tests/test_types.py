"""Type checkers see the package's types."""

import inspect
import os
import pathlib
import subprocess
import tempfile
import tomllib
import typing
import unittest

import belfry

PACKAGE = pathlib.Path(belfry.__file__).parent


class Types(unittest.TestCase):
    def test_the_marker_is_there_and_packed(self):
        self.assertTrue((PACKAGE / "py.typed").exists())
        project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
        self.assertEqual(project["tool"]["setuptools"]["package-data"], {"belfry": ["py.typed"]})

    def test_every_public_callable_is_annotated(self):
        seen = 0
        for name in belfry.__all__:
            public = getattr(belfry, name)
            functions = [public]
            if inspect.isclass(public):
                functions = [f for n, f in vars(public).items()
                             if inspect.isfunction(f) and (not n.startswith("_") or n in ("__init__", "__enter__", "__exit__"))]
            if isinstance(public, type) and issubclass(public, Exception):
                continue
            for function in functions:
                with self.subTest(f"{name}: {function.__name__}"):
                    hints = typing.get_type_hints(function)
                    named = [p for p in inspect.signature(function).parameters if p != "self"]
                    self.assertEqual([p for p in [*named, "return"] if p not in hints], [])
                    seen += 1
        self.assertGreater(seen, 8)

    @unittest.skipUnless(os.environ.get("BELFRY_TEST_FULL"), "runs with BELFRY_TEST_FULL=1, as make verify does")
    def test_a_strict_type_checker_is_content(self):
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run(
                ["/usr/bin/mypy", "--strict", "--follow-imports=silent", f"--cache-dir={cache}", str(pathlib.Path(__file__).with_name("types_example.py"))],
                env={**os.environ, "MYPYPATH": str(PACKAGE.parent)}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
