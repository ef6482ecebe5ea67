"""The example that plots a live ring: with a stand-in for matplotlib, and without any."""

import contextlib
import io
import os
import shutil
import sys
import tempfile
import types
import unittest
from unittest import mock

import numpy as np

import ndring

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples"))
import plot  # noqa: E402


class Plot(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(dir="/dev/shm", prefix="ndring-python-")
        self.addCleanup(shutil.rmtree, self.dir)

    def run_plot(self, pyplot):
        """The exit code of plot.py and what it says, with pyplot in matplotlib's place."""
        package = None
        if pyplot is not None:
            package = types.ModuleType("matplotlib")
            package.pyplot = pyplot
        said = io.StringIO()
        with mock.patch.dict(sys.modules, {"matplotlib": package, "matplotlib.pyplot": pyplot}), \
                mock.patch.dict(os.environ, NDRING_DIR=self.dir), \
                mock.patch.object(sys, "argv", ["plot.py", "x"]), contextlib.redirect_stderr(said):
            return plot.main(), said.getvalue()

    def test_without_matplotlib(self):
        """Check that it names the package and fails where matplotlib is missing."""
        code, said = self.run_plot(None)
        self.assertEqual(code, 1)
        self.assertIn("apt-get install python3-matplotlib", said)

    def test_newest_frame(self):
        """Check that it draws the newest frame of a live ring, complex ones by magnitude,
        and ends with the ring."""
        p = ndring.Producer("x", dir=self.dir, free_run=True)
        self.addCleanup(p.leave)
        turns = iter((
            lambda: p.publish(np.arange(5.0)),
            lambda: (p.publish(np.zeros(3)), p.publish(np.array([[3 + 4j, 0], [1j, 2]]))),
            p.close,
        ))
        figure, axes, pyplot = mock.Mock(), mock.Mock(), mock.Mock()
        line = mock.Mock()
        pyplot.subplots.return_value = figure, axes
        axes.plot.return_value = line,
        pyplot.fignum_exists.return_value = True
        pyplot.pause.side_effect = lambda seconds: next(turns)()
        self.assertEqual(self.run_plot(pyplot), (0, ""))
        drawn = [list(call.args[1]) for call in line.set_data.call_args_list]
        self.assertEqual(drawn, [[0, 1, 2, 3, 4], [5, 0, 1, 2]])
        pyplot.show.assert_called_once_with()

    def test_writer_lost(self):
        """Check that it says in one line that the ring cannot be observed any more."""
        pyplot = mock.Mock()
        pyplot.subplots.return_value = mock.Mock(), mock.Mock(**{"plot.return_value": [mock.Mock()]})
        with mock.patch.object(ndring, "Observer", side_effect=ndring.WriterLostError("no writer")):
            self.assertEqual(self.run_plot(pyplot), (1, "plot.py: no writer\n"))


if __name__ == "__main__":
    unittest.main()
