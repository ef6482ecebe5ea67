"""What type checkers and packagers see: every public name is annotated, nothing newer than
Python 3.9 is evaluated, and the installed package is whole."""

import ast
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
import typing
import unittest

import ndring

FOLDER = os.path.dirname(ndring.__file__)
PROJECT = os.path.dirname(FOLDER)
#: NumPy as far as importing the module goes, for a Python that has none.
STUB = """import sys, types
class Anything:
    def __init__(self, *a, **k): pass
    def __class_getitem__(cls, item): return cls
numpy = types.ModuleType("numpy")
numpy.__version__ = "1.20.0"
numpy.__getattr__ = lambda name: Anything
sys.modules["numpy"] = numpy
"""


def public(module):
    """Classes and functions of a module's __all__, and their public methods."""
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing):
            yield name, thing
            for of, member in list(vars(thing).items()) + [(n, m) for b in thing.__mro__[1:] if b.__module__.startswith("ndring") for n, m in vars(b).items()]:
                if isinstance(member, (staticmethod, classmethod)):
                    member = member.__func__
                if isinstance(member, property):
                    member = member.fget
                if inspect.isfunction(member) and member.__module__.startswith("ndring") and (
                        not of.startswith("_") or of.startswith("__") and of.endswith("__")):
                    yield name + "." + of, member
        elif inspect.isfunction(thing):
            yield name, thing


def unannotated():
    """What of the public functions has no type."""
    missing = []
    for name, thing in public(ndring):
        hints = typing.get_type_hints(thing, None, vars(ndring))  # Claim knows Producer by name only
        if inspect.isclass(thing):
            continue
        for parameter in inspect.signature(thing).parameters.values():
            if parameter.name not in ("self", "cls") and parameter.name not in hints:
                missing.append("%s(%s)" % (name, parameter.name))
        if "return" not in hints:
            missing.append(name + " -> ?")
    return sorted(set(missing))


def sources():
    for name in sorted(os.listdir(FOLDER)):
        if name.endswith(".py"):
            with open(os.path.join(FOLDER, name)) as f:
                yield name, ast.parse(f.read(), feature_version=(3, 9))


class Types(unittest.TestCase):
    def test_functions(self):
        """Check that each parameter and result of what is public has a type that can be
        evaluated."""
        self.assertEqual(unannotated(), [])

    def test_all_defs(self):
        """Check that no function of the module lacks a type, private ones included."""
        missing = []
        for name, tree in sources():
            for node in ast.walk(tree):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    a = node.args
                    arguments = a.posonlyargs + a.args + a.kwonlyargs + [x for x in (a.vararg, a.kwarg) if x]
                    if node.returns is None or any(x.annotation is None for x in arguments if x.arg not in ("self", "cls")):
                        missing.append("%s:%d %s" % (name, node.lineno, node.name))
        self.assertEqual(missing, [])

    def test_attributes(self):
        """Check that each attribute that an instance of a public class is given has a
        type."""
        missing = []
        for name in ndring.__all__:
            kind = getattr(ndring, name)
            if not inspect.isclass(kind):
                continue
            known = set()
            for c in kind.__mro__:
                known.update(vars(c).get("__annotations__", {}), (n for n, m in vars(c).items() if isinstance(m, property)))
            for c in kind.__mro__:
                if c.__module__.startswith("ndring"):
                    for node in ast.walk(ast.parse(inspect.getsource(c))):
                        targets = node.targets if isinstance(node, ast.Assign) else []
                        for t in targets:
                            if isinstance(t, ast.Attribute) and isinstance(t.value, ast.Name) and t.value.id == "self" and not t.attr.startswith("_") and t.attr not in known:
                                missing.append("%s.%s" % (name, t.attr))
        self.assertEqual(sorted(set(missing)), [])

    def test_old_syntax(self):
        """Check that no annotation or alias needs a Python after 3.9: no X | Y of types,
        no match, no names of typing that came later."""
        late = {"Self", "TypeAlias", "ParamSpec", "Concatenate", "TypeGuard", "Unpack", "Never", "LiteralString", "override"}
        found = []
        for name, tree in sources():
            for node in ast.walk(tree):
                notes = []
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    notes = [x.annotation for x in node.args.args + node.args.kwonlyargs] + [node.returns]
                elif isinstance(node, ast.AnnAssign):
                    notes = [node.annotation]
                elif isinstance(node, ast.ImportFrom) and node.module == "typing":
                    found += ["%s:%d %s" % (name, node.lineno, a.name) for a in node.names if a.name in late]
                for note in notes:
                    if note is not None and any(isinstance(x, ast.BinOp) for x in ast.walk(note)):
                        found.append("%s:%d |" % (name, node.lineno))
        self.assertEqual(found, [])

    def test_oldest(self):
        """Check the same on Python 3.9 itself, which need not have NumPy."""
        oldest = os.environ.get("NDRING_PYTHON39") or shutil.which("python3.9")
        if oldest is None or subprocess.run([oldest, "-c", ""], stderr=subprocess.PIPE).returncode:
            self.skipTest("python3.9 is missing; NDRING_PYTHON39 may name one")
        ran = subprocess.run(
            [oldest, "-B", "-W", "error", "-c", STUB + "import test_typing\nprint(test_typing.unannotated())"], cwd=os.path.dirname(os.path.abspath(__file__)),
            env={**os.environ, "PYTHONPATH": PROJECT}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual((ran.stdout, ran.stderr), ("[]\n", ""))

    def test_exported(self):
        """Check that all that is public is in __all__, which is what checkers go by, and
        that its version is the project's."""
        self.assertEqual(len(set(ndring.__all__)), len(ndring.__all__))
        for name, thing in vars(ndring).items():
            if not name.startswith("_") and not inspect.ismodule(thing):
                self.assertIn(name, ndring.__all__)
        with open(os.path.join(PROJECT, "pyproject.toml")) as f:
            self.assertIn('version = "%s"' % ndring.__version__, f.read())


class Installed(unittest.TestCase):
    def test_wheel(self):
        """Check that an installed package holds the module, its mark for type checkers,
        and nothing else, and that building leaves nothing in the folder."""
        for module in ("pip", "setuptools", "wheel"):
            if subprocess.run([sys.executable, "-c", "import " + module], stderr=subprocess.PIPE).returncode:
                self.skipTest("%s is missing: apt-get install python3-pip python3-setuptools python3-wheel" % module)
        with tempfile.TemporaryDirectory() as folder:
            source, target = os.path.join(folder, "source"), os.path.join(folder, "target")
            shutil.copytree(PROJECT, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
            ran = subprocess.run(
                [sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps", "--no-index", "--no-compile",
                 "--disable-pip-version-check", "--root-user-action=ignore", "--target", target, source], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.assertEqual(ran.returncode, 0, ran.stdout)
            tops = sorted(n for n in os.listdir(target) if not n.endswith(".dist-info"))
            self.assertEqual(tops, ["ndring"])
            want = sorted(n for n in os.listdir(FOLDER) if n.endswith(".py") or n == "py.typed")
            self.assertEqual(sorted(os.listdir(os.path.join(target, "ndring"))), want)
            self.assertIn("py.typed", want)
            ran = subprocess.run([sys.executable, "-B", "-I", "-c", "import sys; sys.path.insert(0, %r); import ndring; print(ndring.__version__)" % target],
                                 stdout=subprocess.PIPE, text=True)
            self.assertEqual(ran.stdout, ndring.__version__ + "\n")


if __name__ == "__main__":
    unittest.main()
